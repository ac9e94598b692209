"""affNIST's official MATLAB files.

A file holds one struct, affNISTdata, whose field `image` has a column of 1,600 pixels for each
example and whose field `label_int` has its class.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np

from input_data.errors import DataError

SIDE = 40  # pixels of an image
NUM_CLASSES = 10
ONES_LOOKED_AT = 500
_READER = os.path.join(os.path.dirname(__file__), 'mat_file.py')


def read(path: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one file.

    Args:
      path: a MATLAB file of version 5 to 7, as the official ones are.
      limit: keep the first `limit` examples only.

    Returns:
      uint8 images [n, 40, 40], upright, and uint8 labels [n].

    Raises:
      DataError: if the file is damaged or holds something else.
    """
    columns, labels = _load(path)
    if columns.shape[0] != SIDE * SIDE or columns.ndim != 2 or not columns.shape[1]:
        raise DataError(f'{path}: found image {columns.shape}; expected ({SIDE * SIDE}, n)')
    if labels.size != columns.shape[1]:
        raise DataError(
            f'{path}: found {labels.size} labels; expected {columns.shape[1]}, one for each image'
        )
    columns, labels = columns[:, :limit], labels.reshape(-1)[:limit]  # [1600, n], [n]
    for name, values, highest in (('image', columns, 255), ('label_int', labels, NUM_CLASSES - 1)):
        _check_bytes(path, name, values, highest)
    images = columns.T.astype(np.uint8, copy=False).reshape(-1, SIDE, SIDE)  # [n, 40, 40]
    labels = labels.astype(np.uint8)
    return (images if _is_row_major(images, labels) else images.swapaxes(1, 2)), labels


def _load(path: str) -> tuple[np.ndarray, np.ndarray]:
    """The images, a column each, and the labels."""
    with tempfile.TemporaryFile(buffering=0) as arrays:
        command = [sys.executable, '-W', 'ignore', _READER, path]
        # Threads for linear algebra reserve memory, which the reader may have only so much of.
        environment = {**os.environ, 'OPENBLAS_NUM_THREADS': '1'}
        ended = subprocess.run(command, env=environment, stdout=arrays, stderr=subprocess.PIPE)
        if ended.returncode:
            said = 'found no readable MATLAB file (it ended its reader); expected version 5 to 7'
            if ended.returncode > 0:
                said = ended.stderr.decode(errors='replace').splitlines()[-1]
            raise DataError(f'{path}: {said}')
        arrays.seek(0)
        images = np.load(arrays, allow_pickle=False)
        return images, np.load(arrays, allow_pickle=False)


def _check_bytes(path: str, name: str, values: np.ndarray, highest: int) -> None:
    lowest, largest = values.min(), values.max()
    if not (lowest >= 0 and largest <= highest):
        raise DataError(f'{path}: found {name} from {lowest} to {largest}; expected 0 to {highest}')
    if values.dtype.kind == 'f' and np.any(values != np.floor(values)):
        raise DataError(f'{path}: found fractions in {name}; expected whole numbers')


def _is_row_major(images: np.ndarray, labels: np.ndarray) -> bool:
    """Whether a column of a file runs through an image row by row.

    MATLAB's own order is column by column, a NumPy program's row by row, and a file does not say
    which it is in. Its ones do: taken together they stand upright, higher than wide, though
    each is turned and slanted a little. Without any ones MATLAB's order is taken.
    """
    ones = images[np.flatnonzero(labels == 1)[:ONES_LOOKED_AT]].astype(np.float64)
    spread = []
    for axis in (1, 2):
        profile = ones.sum(axis=3 - axis)  # [ones, 40]
        mass = np.maximum(profile.sum(axis=1), 1)
        place = np.arange(SIDE)
        mean = (profile * place).sum(axis=1) / mass
        spread.append(((profile * place**2).sum(axis=1) / mass - mean**2).sum())
    rows, columns = spread
    return rows > columns
