"""Turns CIFAR-10 as PNG files into the files of its binary version, exactly.

Each PNG holds one batch: a row an image, its 1,024 pixels in RGB, row-major. Labels lie beside
them in two JSON lists, in the order of the images.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator

import numpy as np
import tqdm

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


def convert(folder: str) -> None:
    """Writes the six .bin files beside the PNG and JSON files they are made of.

    Raises:
      DataError: a file is no PNG of 1,024 RGB pixels a row, or labels do not fit the images.
    """
    train_labels = _labels(os.path.join(folder, TRAIN_LABELS))
    sources = [(TEST_BATCH, _labels(os.path.join(folder, TEST_LABELS)))]
    if len(train_labels) % len(TRAIN_BATCHES):
        raise DataError(
            f'{TRAIN_LABELS}: found {len(train_labels)} labels; expected as many for each of '
            f'{len(TRAIN_BATCHES)} batches'
        )
    sources += zip(TRAIN_BATCHES, np.split(train_labels, len(TRAIN_BATCHES)), strict=True)
    for batch, labels in tqdm.tqdm(sources, desc='PNG to binary', unit='file', disable=None):
        pixels = _decode(os.path.join(folder, f'{batch}.png'))
        if len(pixels) != len(labels):
            raise DataError(
                f'{batch}.png: found {len(pixels)} images; expected {len(labels)}, one for each '
                'label'
            )
        records = np.empty((len(labels), 1 + 3 * _PIXELS), np.uint8)
        records[:, 0] = labels
        channel_first = pixels.transpose(0, 2, 1)  # [images, 3, 1024]
        records[:, 1:] = channel_first.reshape(len(labels), -1)
        records.tofile(os.path.join(folder, f'{batch}.bin'))


def _labels(path: str) -> np.ndarray:
    try:
        with open(path, encoding='utf-8') as file:
            labels = np.asarray(json.load(file))
    except ValueError as error:
        raise DataError(f'{os.path.basename(path)}: found {error}; expected JSON') from error
    if labels.ndim != 1 or labels.dtype.kind != 'i' or not np.all((labels >= 0) & (labels <= 9)):
        raise DataError(f'{os.path.basename(path)}: expected one list of classes from 0 to 9')
    return labels.astype(np.uint8)  # [labels]


def _decode(path: str) -> np.ndarray:
    """Pixels of a batch: uint8 [images, 1024, 3]."""
    with _standard_error_closed():
        import tensorflow as tf

        tf.config.list_physical_devices()
    try:
        with tf.device('CPU'):
            pixels = tf.io.decode_png(tf.io.read_file(path)).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise DataError(
            f'{os.path.basename(path)}: found a damaged file; expected a PNG'
        ) from error
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (_PIXELS, 3):
        raise DataError(
            f'{os.path.basename(path)}: found pixels {pixels.shape}; expected {_PIXELS} RGB a row'
        )
    return pixels


@contextlib.contextmanager
def _standard_error_closed() -> Iterator[None]:
    """Drops what is written to file descriptor 2: TensorFlow's remarks while it starts."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, 'wb') as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
