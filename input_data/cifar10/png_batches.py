"""Turns CIFAR-10 as PNG files into the files of its binary version, exactly.

Each PNG holds one batch: a row an image, its 1,024 pixels in RGB, row-major. Labels lie beside
them in two JSON lists, in the order of the images.
"""

import json
import os

import numpy as np
import tqdm
from PIL import Image

from input_data.errors import DataError

TRAIN_BATCHES = tuple(f'data_batch_{number}' for number in range(1, 6))
TEST_BATCH = 'test_batch'
# The package spells them so.
TRAIN_LABELS, TEST_LABELS = 'train_lables.json', 'test_lables.json'
PACKAGE_FILES = (
    *(f'{batch}.png' for batch in (*TRAIN_BATCHES, TEST_BATCH)),
    TRAIN_LABELS,
    TEST_LABELS,
)

_PIXELS = 32 * 32
_LABELS_BYTES = 4 << 20  # ten times the longest list, however it is spaced


def convert(folder: str) -> None:
    """Writes the six .bin files beside the PNG and JSON files they are made of.

    Raises:
      DataError: a file is no PNG of 1,024 RGB pixels a row, or labels do not fit the images.
    """
    train_labels = _labels(os.path.join(folder, TRAIN_LABELS))
    sources = [(TEST_BATCH, _labels(os.path.join(folder, TEST_LABELS)))]
    sources += zip(TRAIN_BATCHES, np.array_split(train_labels, len(TRAIN_BATCHES)), strict=True)
    for batch, labels in tqdm.tqdm(sources, desc='PNG to binary', unit='file', disable=None):
        pixels = _decode(os.path.join(folder, f'{batch}.png'), len(labels))
        records = np.empty((len(labels), 1 + 3 * _PIXELS), np.uint8)
        records[:, 0] = labels
        channel_first = pixels.transpose(0, 2, 1)  # [images, 3, 1024]
        records[:, 1:] = channel_first.reshape(len(labels), -1)
        records.tofile(os.path.join(folder, f'{batch}.bin'))


def _labels(path: str) -> np.ndarray:
    name = os.path.basename(path)
    try:
        with open(path, 'rb') as file:
            labels = json.loads(file.read(_LABELS_BYTES))
    except (ValueError, RecursionError) as error:
        raise DataError(f'{name}: found {error}; expected JSON') from error
    # Looked at one by one: an array of whatever the list holds may be far larger than the list.
    if not isinstance(labels, list) or not all(
        type(label) is int and 0 <= label <= 9 for label in labels
    ):
        raise DataError(f'{name}: expected one list of classes from 0 to 9')
    return np.array(labels, np.uint8)  # [labels]


def _decode(path: str, count: int) -> np.ndarray:
    """Pixels of a batch of `count` images: uint8 [count, 1024, 3]."""
    name = os.path.basename(path)
    try:
        with Image.open(path, formats=['PNG']) as image:
            if (image.mode, image.size) == ('RGB', (_PIXELS, count)):
                return np.asarray(image)
    except Exception as error:  # a decoder raises whatever it stumbles over in a damaged file
        raise DataError(f'{name}: found a damaged file; expected a PNG') from error
    raise DataError(
        f'{name}: found {image.height} rows of {image.width} pixels of mode {image.mode}; '
        f'expected {count}, one for each label, of {_PIXELS} of mode RGB'
    )
