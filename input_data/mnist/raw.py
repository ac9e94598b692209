"""MNIST's raw files: the IDX format, plain or compressed with gzip.

An IDX file is a big-endian header (two zero bytes, the element type, the number of
dimensions, then 4 bytes for each dimension) followed by the elements, row-major. MNIST uses
unsigned bytes only: 3 dimensions for images, 1 for labels.
"""

import gzip
import io
import os
import zlib
from typing import IO

import numpy as np

from common import files
from input_data.errors import DataError

SPLITS = ('train', 'test', 'valid_train', 'valid_test')

_FILE_PREFIX = {'train': 'train', 'test': 't10k'}
_GZIP_MAGIC = b'\x1f\x8b'
_UNSIGNED_BYTE = 0x08
_MAX_SIDE = 1 << 14
_MAX_BYTES = 1_000_000_000  # twice EMNIST's largest file; little gzip data can unpack to any size
_READ_BYTES = 1 << 20


def read_images(path: str) -> np.ndarray:
    """Reads an IDX file of images.

    Args:
      path: the file, plain or gzip; its first bytes tell which, not its name.

    Returns:
      uint8 [images, height, width].

    Raises:
      DataError: the file is absent, truncated, corrupt, too long or of another kind.
    """
    return _read(path, dimensions=3)


def read_labels(path: str) -> np.ndarray:
    """Reads an IDX file of labels; as `read_images`, but returns uint8 [labels]."""
    return _read(path, dimensions=1)


def write_images(path: str, images: np.ndarray) -> None:
    """Writes uint8 [images, height, width]; the file appears under `path` only when whole."""
    _write(path, images, dimensions=3)


def write_labels(path: str, labels: np.ndarray) -> None:
    """Writes uint8 [labels]; the file appears under `path` only when whole."""
    _write(path, labels, dimensions=1)


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
    images, labels = read_images(images_path), read_labels(labels_path)
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


def _read(path: str, dimensions: int) -> np.ndarray:
    try:
        with open(path, 'rb') as file:
            compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            if compressed:
                with gzip.GzipFile(fileobj=file) as stream:
                    return _parse(path, stream, dimensions)
            return _parse(path, file, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f'{path}: found damaged gzip data ({error}); expected a whole file'
        ) from error
    except OSError as error:
        raise DataError(f'{path}: {error.strerror or error}; expected a readable file') from error


def _parse(path: str, stream: IO[bytes] | io.BufferedIOBase, dimensions: int) -> np.ndarray:
    header_bytes = 4 + 4 * dimensions
    header = stream.read(header_bytes)
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if header[:4] != magic:
        raise DataError(
            f'{path}: found magic number 0x{header[:4].hex()}; expected 0x{magic.hex()} '
            f'(unsigned bytes, {dimensions} dimensions)'
        )
    if len(header) < header_bytes:
        raise DataError(f'{path}: found a header of {len(header)} bytes; expected {header_bytes}')
    shape = tuple(int(size) for size in np.frombuffer(header, '>u4', offset=4))
    if 0 in shape or max(shape[1:], default=1) > _MAX_SIDE:
        raise DataError(
            f'{path}: found dimensions {shape}; expected none to be 0 and no side above {_MAX_SIDE}'
        )
    expected = int(np.prod(shape, dtype=object))
    # The header may lie: memory grows with the bytes that are there, never with what it promises.
    body = bytearray()
    while len(body) <= expected and (piece := stream.read(_READ_BYTES)):
        body += piece
        if len(body) > _MAX_BYTES:
            raise DataError(
                f'{path}: found dimensions {shape} and as much data; expected at most '
                f'{_MAX_BYTES} bytes'
            )
    if len(body) < expected:
        raise DataError(
            f'{path}: found {len(body)} bytes of data; expected {expected} for dimensions {shape}'
        )
    if len(body) > expected:
        raise DataError(
            f'{path}: found bytes after the data; expected {expected} for dimensions {shape}'
        )
    return np.frombuffer(memoryview(body).toreadonly(), np.uint8).reshape(shape)  # [n, h, w] or [n]


def _write(path: str, values: np.ndarray, dimensions: int) -> None:
    if values.dtype != np.uint8 or values.ndim != dimensions or 0 in values.shape:
        raise DataError(
            f'{path}: found {values.dtype} {values.shape}; expected uint8 of {dimensions} non-zero '
            'dimensions'
        )
    header = bytes([0, 0, _UNSIGNED_BYTE, dimensions]) + np.array(values.shape, '>u4').tobytes()
    with files.replacing(path) as [temporary]:
        temporary.write_bytes(header + values.tobytes())
