"""Reads folders in MNIST's raw format for data sets that are made while training goes on.

Nothing about MNIST itself is assumed: Fashion-MNIST, KMNIST, EMNIST or anybody's own digits come
in the same four files, with their own sizes and classes.
"""

from typing import NamedTuple

import numpy as np

from input_data.errors import DataError
from input_data.mnist import raw
from input_data.request import InputRequest


class RawDigits(NamedTuple):
    """One split of a raw folder."""

    images: np.ndarray  # uint8 [n, height, width]
    labels: np.ndarray  # uint8 [n]
    num_classes: int  # of the whole folder, also those that this split lacks


def read(request: InputRequest) -> RawDigits:
    """The digits of the split that a request asks for (`InputRequest.part`).

    There is one class more than the highest label of the training and test files together.

    Raises:
      DataError: if a file is absent or damaged, or training and test images differ in size.
    """
    images, labels = raw.read_split(request.data_dir, request.part)
    part, other = ('test', 'train') if request.part == 'test' else ('train', 'test')
    other_images, other_labels = raw.read_pair(request.data_dir, other)
    if other_images.shape[1:] != images.shape[1:]:
        paths = [raw.find(request.data_dir, raw.file_names(each)[0]) for each in (other, part)]
        found, expected = (f'{h}x{w}' for _, h, w in (other_images.shape, images.shape))
        raise DataError(
            f'{paths[0]}: found images of {found}; expected {expected} as in {paths[1]}'
        )
    # Of the whole file: the part that a validation holds out may lack the highest class.
    part_labels = raw.read_idx(raw.find(request.data_dir, raw.file_names(part)[1]), 1)
    return RawDigits(images, labels, 1 + int(max(part_labels.max(), other_labels.max())))
