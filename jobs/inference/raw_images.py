"""Photographs as bytes -> the network's input, as each data set's reader treats test images.

The readers are imported at first use: a run needs only that of its own data set.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from input_data import DatasetInfo


class RawImages(NamedTuple):
    """Images before the reader's treatment, and the treatment."""

    shape: tuple[int, int, int]  # height, width, depth of a uint8 image
    to_input: Callable[[tf.Tensor], tf.Tensor]  # uint8 [batch, *shape] -> the network's input


def of_dataset(dataset: str, info: DatasetInfo) -> RawImages:
    """How images of a data set become the network's input.

    Args:
      dataset: a key of `input_data.DATASETS`.
      info: of the network's input; for MNIST kinds raw images have the same size.
    """
    if dataset == 'cifar10':
        from input_data.cifar10 import augment, raw

        return RawImages((raw.HEIGHT, raw.WIDTH, raw.DEPTH), augment.centre)
    if dataset == 'norb':
        return RawImages((96, 96, 2), _norb_input)  # smallNORB's size, paper Section 7
    return RawImages((info.height, info.width, info.depth), _unit_range)


def _unit_range(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images, tf.float32) / 255


def _norb_input(images: tf.Tensor) -> tf.Tensor:
    from input_data.norb import augment

    halved = augment.halve(tf.transpose(images, [0, 3, 1, 2]))  # [batch, 48, 48, 2]
    crops = tf.cast(augment.central_crops(halved), tf.float32)  # [batch, 32, 32, 2]
    return tf.image.per_image_standardization(crops)
