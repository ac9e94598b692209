"""smallNORB's raw files: binary matrices, plain or compressed with gzip.

A matrix file is little-endian: a magic number that tells the element type, the number of
dimensions, the dimensions (at least three are stored, even if there are fewer), all of them
int32; then the elements, row-major. A split has three: `*-dat.mat` (images), `*-cat.mat`
(categories) and `*-info.mat` (instance, elevation, azimuth, lighting). The format is that of
https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
"""

import contextlib
import dataclasses
import glob
import gzip
import math
import os
import zlib
from collections.abc import Iterator

import numpy as np

from input_data.errors import DataError

CATEGORIES = ('four-legged animals', 'human figures', 'airplanes', 'trucks', 'cars')
INFO_LIMITS = {'instance': 9, 'elevation': 8, 'azimuth': 34, 'lighting': 5}  # highest values

_FILE_WORD = {'train': 'training', 'test': 'testing'}
_PACKED = 0x1E3D4C52
_ELEMENT_TYPES: dict[int, np.dtype] = {
    0x1E3D4C51: np.dtype('<f4'),
    0x1E3D4C53: np.dtype('<f8'),
    0x1E3D4C54: np.dtype('<i4'),
    0x1E3D4C55: np.dtype('u1'),
    0x1E3D4C56: np.dtype('<i2'),
}
_GZIP_MAGIC = b'\x1f\x8b'
_MAX_DIMENSIONS = 8
_MAX_SIDE = 4096
_READ_BYTES = 1 << 20
_BLOCK_BYTES = 32 << 20  # of images in memory
_MAX_READ_BYTES = 256 << 20  # into one array; little gzip data can unpack to any size


class MatrixFile:
    """A matrix file open for reading, its header checked; a context manager.

    Attributes:
      path: the file; its first bytes tell whether it is compressed, not its name.
      dtype: of the elements, little-endian.
      shape: the dimensions.
    """

    def __init__(self, path: str) -> None:
        """Raises DataError if the file is absent, of another kind or of the wrong length."""
        self.path = path
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open(path, 'rb'))
            except OSError as error:
                raise DataError(f'{path}: {error.strerror}; expected a readable file') from error
            compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            self._stream = gzip.GzipFile(fileobj=file) if compressed else file
            header_bytes = self._read_header()
            if not compressed:
                self._check_length(os.fstat(file.fileno()).st_size - header_bytes)
            self._to_close = stack.pop_all()

    def __enter__(self) -> 'MatrixFile':
        return self

    def __exit__(self, *_: object) -> None:
        self._to_close.close()

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """All elements, once: arrays [k, *shape[1:]] with k = `rows`, less in the last.

        Raises:
          DataError: the data are damaged, end early, or bytes follow them.
        """
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        for first in range(0, self.shape[0], rows):
            count = min(rows, self.shape[0] - first)
            content = self._read(count * row_bytes)
            if len(content) < count * row_bytes:
                self._check_length(first * row_bytes + len(content))
            yield np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])
        self._check_length(self.shape[0] * row_bytes + len(self._read(1)))

    def _read_header(self) -> int:
        start = self._read(8)
        if len(start) < 8:
            raise DataError(f'{self.path}: found {len(start)} bytes; expected a matrix file')
        magic, dimensions = (int(word) for word in np.frombuffer(start, '<i4'))
        if magic not in _ELEMENT_TYPES:
            kind = 'a packed matrix' if magic == _PACKED else f'magic number 0x{start[3::-1].hex()}'
            known = ', '.join(f'0x{known:08x}' for known in _ELEMENT_TYPES)
            raise DataError(f'{self.path}: found {kind}; expected a magic number out of {known}')
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise DataError(
                f'{self.path}: found {dimensions} dimensions; expected 1 to {_MAX_DIMENSIONS}'
            )
        stored_bytes = 4 * max(3, dimensions)
        stored = self._read(stored_bytes)
        if len(stored) < stored_bytes:
            raise DataError(
                f'{self.path}: found a header of {8 + len(stored)} bytes; '
                f'expected {8 + stored_bytes}'
            )
        self.dtype = _ELEMENT_TYPES[magic]
        self.shape = tuple(int(size) for size in np.frombuffer(stored, '<i4')[:dimensions])
        if min(self.shape) < 1:
            raise DataError(f'{self.path}: found dimensions {self.shape}; expected all above 0')
        return 8 + stored_bytes

    def _read(self, size: int) -> bytearray:
        """Up to `size` bytes; fewer only at the end of the file."""
        # The header may lie: memory grows with the bytes that are there, never with its promise.
        content = bytearray()
        try:
            while piece := self._stream.read(min(size - len(content), _READ_BYTES)):
                content += piece
                if len(content) > _MAX_READ_BYTES:
                    raise DataError(
                        f'{self.path}: found more than {_MAX_READ_BYTES} bytes of data to hold at '
                        'once; expected fewer'
                    )
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f'{self.path}: found damaged gzip data ({error}); expected a whole file'
            ) from error
        except OSError as error:
            raise DataError(f'{self.path}: {error.strerror}; expected a readable file') from error
        return content

    def _check_length(self, found: int) -> None:
        expected = math.prod(self.shape) * self.dtype.itemsize
        if found != expected:
            most = 'at least ' if found > expected else ''
            raise DataError(
                f'{self.path}: found {most}{found} bytes of data; '
                f'expected {expected} for dimensions {self.shape}'
            )


@dataclasses.dataclass(frozen=True)
class RawSplit:
    """The raw files of 'train' or 'test', all checked but the pixels."""

    images_path: str
    height: int
    width: int
    categories: np.ndarray  # [n] int32, index into CATEGORIES
    info: np.ndarray  # [n, 4] int32, in the order of INFO_LIMITS

    def images(self, rows: int) -> Iterator[np.ndarray]:
        """The stereo pairs, `rows` at a time or fewer large ones: uint8 [k, 2, height, width]."""
        most = max(1, _BLOCK_BYTES // (2 * self.height * self.width))
        with MatrixFile(self.images_path) as matrix:
            yield from matrix.blocks(min(rows, most))

    def objects(self) -> set[tuple[int, int]]:
        """(category, instance) of each toy that is shown."""
        pairs = np.stack([self.categories, self.info[:, 0]], axis=1)  # [n, 2]
        return set(map(tuple, np.unique(pairs, axis=0).tolist()))


def read_matrix(path: str) -> np.ndarray:
    """Reads a whole matrix file; raises DataError if it is absent, damaged or of another kind."""
    with MatrixFile(path) as matrix:
        [whole] = matrix.blocks(matrix.shape[0])
    return whole


def open_split(data_dir: str, split: str) -> RawSplit:
    """Reads the raw files of a split, the images' header only.

    Args:
      data_dir: the folder of the raw files.
      split: 'train' or 'test'.

    Raises:
      DataError: a file is absent, damaged, or does not fit the others.
    """
    images_path, categories_path, info_path = find(data_dir, split)
    with MatrixFile(images_path) as matrix:
        shape = matrix.shape
        is_stereo = len(shape) == 4 and shape[1] == 2 and max(shape[2:]) <= _MAX_SIDE
        if not is_stereo or matrix.dtype != np.uint8:
            raise DataError(
                f'{images_path}: found {matrix.dtype} {shape}; expected bytes [n, 2, height, width]'
            )
    categories = _read_integers(categories_path, shape[:1])
    info = _read_integers(info_path, (shape[0], len(INFO_LIMITS)))
    _check_range(categories_path, 'category', categories, len(CATEGORIES) - 1)
    for column, (name, highest) in enumerate(INFO_LIMITS.items()):
        _check_range(info_path, name, info[:, column], highest)
    return RawSplit(images_path, shape[2], shape[3], categories, info)


def find(data_dir: str, split: str) -> list[str]:
    """Paths of the images, categories and infos of 'train' or 'test', each plain or `.gz`.

    Raises:
      DataError: a file is absent, or there are several sets of files to choose from.
    """
    if not os.path.isdir(data_dir):
        raise DataError(f"--data_dir={data_dir}: no such folder; expected smallNORB's raw files")
    pattern = f'*{_FILE_WORD[split]}*-dat.mat'
    found = glob.glob(os.path.join(glob.escape(data_dir), pattern))
    found += glob.glob(os.path.join(glob.escape(data_dir), f'{pattern}.gz'))
    stems = sorted({path.removesuffix('.gz').removesuffix('-dat.mat') for path in found})
    if len(stems) != 1:
        listed = ', '.join(f'{os.path.basename(stem)}-dat.mat' for stem in stems) or 'none'
        raise DataError(f'--data_dir={data_dir}: found {listed}; expected one {pattern} (or .gz)')
    paths = []
    for kind in ('dat', 'cat', 'info'):
        plain = f'{stems[0]}-{kind}.mat'
        present = [path for path in (plain, f'{plain}.gz') if os.path.isfile(path)]
        if not present:
            raise DataError(f'{plain}: no such file; expected it, plain or .gz')
        paths.append(present[0])
    return paths


def _read_integers(path: str, shape: tuple[int, ...]) -> np.ndarray:
    matrix = read_matrix(path)
    if matrix.shape != shape or matrix.dtype != np.int32:
        raise DataError(f'{path}: found {matrix.dtype} {matrix.shape}; expected int32 {shape}')
    return matrix


def _check_range(path: str, name: str, values: np.ndarray, highest: int) -> None:
    wrong = np.flatnonzero((values < 0) | (values > highest))
    if len(wrong):
        raise DataError(
            f'{path}: found {name} {values[wrong[0]]} of example {wrong[0]}; '
            f'expected 0 to {highest}'
        )
