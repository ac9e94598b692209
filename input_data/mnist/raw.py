"""MNIST's raw files: the IDX format, plain or compressed with gzip.

An IDX file is a big-endian header (two zero bytes, the element type, the number of
dimensions, then 4 bytes for each dimension) followed by the elements, row-major. MNIST uses
unsigned bytes only: 3 dimensions for images, 1 for labels.
"""

import os

import numpy as np

from common import files
from input_data import raw_array
from input_data.errors import DataError

SPLITS = ('train', 'test', 'valid_train', 'valid_test')

_FILE_PREFIX = {'train': 'train', 'test': 't10k'}
_UNSIGNED_BYTE = 0x08


def read_idx(path: str, dimensions: int) -> np.ndarray:
    """Reads an IDX file, plain or gzip: uint8 of 3 dimensions for images, 1 for labels.

    Raises:
      DataError: the file is absent, damaged or of another kind or length.
    """
    return raw_array.read_array(path, _magic(dimensions), '>u4', dimensions, 'u1', dimensions)


def write_idx(path: str, values: np.ndarray) -> None:
    """Writes uint8 of any dimensions; the file appears under `path` only when whole."""
    header = _magic(values.ndim) + np.array(values.shape, '>u4').tobytes()
    with files.replacing(path) as [temporary]:
        temporary.write_bytes(header + values.astype(np.uint8, casting='safe').tobytes())


def file_names(part: str) -> tuple[str, str]:
    """Names of the images' file and the labels' file of 'train' or 'test'."""
    prefix = _FILE_PREFIX[part]
    return f'{prefix}-images-idx3-ubyte', f'{prefix}-labels-idx1-ubyte'


def find(data_dir: str, name: str) -> str:
    """Finds a raw file under any of the spellings in which MNIST is handed around.

    Args:
      data_dir: the folder to look in.
      name: the file's usual name, such as 'train-images-idx3-ubyte'; the same name with a dot
        before 'idx' and either of them with '.gz' are found too.

    Returns:
      The path of the first spelling that exists.

    Raises:
      DataError: the folder is absent or holds none of the spellings.
    """
    if not os.path.isdir(data_dir):
        raise DataError(f'--data_dir={data_dir}: no such folder; expected one that holds {name}')
    path = find_any(data_dir, name)
    if path is None:
        raise DataError(f'--data_dir={data_dir}: found no {name}; expected it, plain or .gz')
    return path


def find_any(data_dir: str, name: str) -> str | None:
    """As `find`, but returns None where `find` raises."""
    dotted = name.replace('-idx', '.idx')
    for spelling in (name, f'{name}.gz', dotted, f'{dotted}.gz'):
        path = os.path.join(data_dir, spelling)
        if os.path.isfile(path):
            return path
    return None


def read_pair(data_dir: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the images and labels of 'train' or 'test'.

    Returns:
      uint8 [n, height, width] and uint8 [n].

    Raises:
      DataError: a file is absent or damaged, or the two hold different numbers of examples.
    """
    images_path, labels_path = (find(data_dir, name) for name in file_names(part))
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataError(
            f'{labels_path}: found {len(labels)} labels; expected {len(images)}, '
            f'the number of images in {images_path}'
        )
    return images, labels


def read_split(data_dir: str, split: str, max_load: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Reads one of the four splits of the release.

    'train' and 'test' are the files as they are. 'valid_test' is the first sixth of the training
    images (10,000 of MNIST's 60,000) and 'valid_train' the rest.

    Args:
      data_dir: folder of the raw files.
      split: one of SPLITS.
      max_load: the file's first `max_load` images stand for all of it; 0 or less: no limit.

    Returns:
      uint8 [n, height, width] and uint8 [n].

    Raises:
      DataError: unknown split, missing or damaged files, or a split without any image.
    """
    if split not in SPLITS:
        raise DataError(f'--split={split}: unknown split; expected one of {", ".join(SPLITS)}')
    images, labels = read_pair(data_dir, 'test' if split == 'test' else 'train')
    if max_load > 0:
        images, labels = images[:max_load], labels[:max_load]  # [max_load, h, w], [max_load]
    if split in ('train', 'test'):
        return images, labels
    held_out = len(images) // 6
    if not held_out:
        raise DataError(
            f'--split={split}: found {len(images)} training images; expected at least 6 '
            'to hold out a sixth of them'
        )
    part = slice(0, held_out) if split == 'valid_test' else slice(held_out, None)
    return images[part], labels[part]


def _magic(dimensions: int) -> bytes:
    return bytes([0, 0, _UNSIGNED_BYTE, dimensions])
