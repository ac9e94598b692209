"""Reads CIFAR-10: the binary version, or the records that `cifar10_records.py` writes.

The network sees 24x24 of the 32x32 pixels, standardised: a random crop, distorted, of training
images and the middle of test images. What is to be reconstructed is the same standardised image,
as in the release; its decoder ends in a sigmoid, which can only come near to it.
"""

import os

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.batching import Features, Indexed, Raw
from input_data.cifar10 import augment, raw
from input_data.records import paths, read
from input_data.records.schema import Schema
from input_data.request import DatasetInfo, InputRequest, RawImages

EVAL_SIZE = 10_000  # the test set, and the release's default

SCHEMA = Schema(
    kind='CIFAR-10',
    images=('image_raw',),
    depth=raw.DEPTH,
    sides=(raw.HEIGHT,),
    size=f'an image of {raw.HEIGHT}x{raw.WIDTH}x{raw.DEPTH}',
    num_classes=raw.NUM_CLASSES,
)


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of standardised 24x24x3 images; see `input_data.inputs`.

    With `request.validate`, training takes batches 1 to 4 and testing batch 5 of the training
    set.

    Raises:
      DataError: if more than one target is asked for, or files are missing, cut short, corrupt
        or of another kind.
    """
    found = find(request)
    if _is_binary(found):
        images, labels = raw.read_all(found)
        channel_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # [n, 32, 32, 3]
        examples = batching.hold({'image': channel_last, 'labels': labels[:, None]})
    else:
        examples = read.open_examples(*read.open_files(found, SCHEMA), request.limit, _to_raw)

    def to_features(batch: Indexed) -> Features:
        if request.split == 'train':
            drawn = augment.draw_distortions(batch.positions, request.batching.seed)
            images = augment.distort(batch.raw['image'], drawn)
        else:
            images = augment.centre(batch.raw['image'])
        return batching.make_features(images, batch.raw['labels'], raw.NUM_CLASSES)

    size = augment.CROP, augment.CROP, raw.DEPTH
    info = DatasetInfo(*size, raw.NUM_CLASSES, class_names=raw.CLASS_NAMES)
    return batching.cut(examples, request, info, to_features)


def check(request: InputRequest) -> None:
    """Raises DataError that names the first broken example, or its file."""
    found = find(request)
    if _is_binary(found):
        for path in found:
            raw.read(path)
    else:
        read.check(*read.open_files(found, SCHEMA))


def raw_images(info: DatasetInfo) -> RawImages:
    """Photographs of 32x32 pixels, of which the network sees the middle."""
    del info
    return RawImages((raw.HEIGHT, raw.WIDTH, raw.DEPTH), augment.centre)


def find(request: InputRequest) -> list[str]:
    """The files of a request: .bin files of the binary version, or record files.

    In a directory the binary version is looked for first.

    Raises:
      DataError: if there are none, some are missing, or more than one target is asked for.
    """
    request.check_targets('cifar10')
    names: tuple[str, ...] = ()
    if os.path.isdir(request.data_dir):
        binary = raw.find(request.data_dir, request.part)
        if binary:
            return binary
        names = (raw.FILE_NAMES[request.part][0], raw.record_name(request.part))
    return paths.resolve(request.data_dir, names)


def _is_binary(found: list[str]) -> bool:
    return all(path.endswith('.bin') for path in found)


def _to_raw(parsed: dict[str, tf.Tensor]) -> Raw:
    image = tf.transpose(parsed['image_raw'], [0, 2, 3, 1])  # [batch, 32, 32, 3]
    return {'image': image, 'labels': parsed['labels']}
