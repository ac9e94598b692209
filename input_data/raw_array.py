"""Raw files of data sets, plain or compressed with gzip, read whole."""

import gzip
import math
import zlib

import numpy as np

from input_data.errors import DataError

# Twice EMNIST's or smallNORB's largest file; little gzip data can unpack to any size.
MAX_BYTES = 1_000_000_000

_GZIP_MAGIC = b'\x1f\x8b'
_PIECE_BYTES = 1 << 20  # read at a time


def read_bytes(path: str) -> memoryview:
    """Reads what a file holds; its first bytes tell whether it is compressed, not its name.

    Raises:
      DataError: the file is absent, damaged, or holds more than MAX_BYTES.
    """
    content = bytearray()
    try:
        with open(path, 'rb') as file:
            is_packed = file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            stream = gzip.GzipFile(fileobj=file) if is_packed else file
            while piece := stream.read(_PIECE_BYTES):
                content += piece
                if len(content) > MAX_BYTES:
                    raise DataError(
                        f'{path}: found more than {MAX_BYTES} bytes; expected at most as many'
                    )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f'{path}: found damaged gzip data ({error}); expected a whole file'
        ) from error
    except OSError as error:
        raise DataError(f'{path}: {error.strerror or error}; expected a readable file') from error
    return memoryview(content).toreadonly()


def read_array(
    path: str, magic: bytes, size_type: str, num_sizes: int, element_type: str, dimensions: int
) -> np.ndarray:
    """Reads an array: a magic number, the sizes of its dimensions, its elements, row-major.

    Args:
      path: the file.
      magic: the first bytes, which tell the type of the elements and the number of dimensions.
      size_type: NumPy's name of the type of a size.
      num_sizes: how many sizes the file has; those after the first `dimensions` mean nothing.
      element_type: NumPy's name of the type of the elements.
      dimensions: of the array.

    Raises:
      DataError: as `read_bytes`, or the file is of another kind or length.
    """
    content = read_bytes(path)
    found = bytes(content[: len(magic)])
    if found != magic:
        raise DataError(
            f'{path}: found magic number 0x{found.hex()}; expected 0x{magic.hex()} '
            f'({np.dtype(element_type)}, {dimensions} dimensions)'
        )
    header_bytes = len(magic) + num_sizes * np.dtype(size_type).itemsize
    if len(content) < header_bytes:
        raise DataError(f'{path}: found a header of {len(content)} bytes; expected {header_bytes}')
    sizes = np.frombuffer(content, size_type, dimensions, len(magic))
    shape = tuple(int(size) for size in sizes)
    if min(shape) < 1:
        raise DataError(f'{path}: found dimensions {shape}; expected none below 1')
    expected = math.prod(shape) * np.dtype(element_type).itemsize
    num_bytes = len(content) - header_bytes
    if num_bytes != expected:
        more = num_bytes > expected
        raise DataError(
            f'{path}: found {"bytes after the data" if more else f"{num_bytes} bytes of data"}; '
            f'expected {expected} for dimensions {shape}'
        )
    return np.frombuffer(content, element_type, offset=header_bytes).reshape(shape)
