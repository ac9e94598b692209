"""Numbers out of a struct in a MATLAB file of version 5 to 7.

The format is MathWorks' "MAT-File Format": elements of a type, a size and data, some of which
hold elements again, and some of which are compressed with zlib. What is not asked for is passed
over, whatever it is: a file may hold boxes in boxes without end. Memory grows with the bytes that
are there, never with what their sizes promise.
"""

import io
import math
import os
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from common.errors import UserError

_HEADER_BYTES = 128
_BYTE_ORDERS = {b'IM': '<', b'MI': '>'}
_VERSION = 0x100
# Types of elements, and of the numbers in them.
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED, _UTF8 = 1, 5, 6, 14, 15, 16
_NUMBERS = dict(
    zip(
        (1, 2, 3, 4, 5, 6, 7, 9, 12, 13),
        ['i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'f4', 'f8', 'i8', 'u8'],
        strict=False,
    )
)
# Classes of matrices, in the lowest byte of their flags.
_STRUCT, _NUMERIC, _COMPLEX = 2, range(6, 16), 0x800
_MOST_DIMENSIONS = 32
_PIECE_BYTES = 1 << 20
_MOST_RATIO = 200  # of unpacked to packed bytes; drawn digits come to 10, zeros to 1,000


class MatFault(UserError):
    """What is wrong with a MATLAB file."""


class Matrix(NamedTuple):
    """A matrix of real numbers."""

    shape: tuple[int, ...]
    values: np.ndarray  # [shape[0], columns], perhaps only the first columns


def read_struct(
    path: str, name: str, wanted: Sequence[str], limit: int | None = None
) -> dict[str, Matrix | None] | None:
    """Reads fields of a struct.

    Args:
      path: the file.
      name: of the struct.
      wanted: names of fields to read.
      limit: the number of columns to read; None for all.

    Returns:
      All fields that the struct has, with None for those not wanted or without real numbers. None
      if the file has no single struct of this name.

    Raises:
      MatFault: the file is damaged or of another kind.
      OSError: it cannot be read.
    """
    with open(path, 'rb') as file:
        header = file.read(_HEADER_BYTES)
        order = _BYTE_ORDERS.get(header[126:])
        if order is None or np.frombuffer(header[124:126], f'{order}u2') != _VERSION:
            raise MatFault('no header of one')
        size = os.fstat(file.fileno()).st_size
        elements = _Part(file.read, size - _HEADER_BYTES, order)
        while elements.left:
            kind, element = elements.element()
            if kind == _COMPRESSED:
                fields = _unpacked(element, _MOST_RATIO * size, name, wanted, limit)
            elif kind == _MATRIX:
                fields = _fields(element, name, wanted, limit)
            else:
                fields = None
            element.skip()
            if fields is not None:
                return fields
    return None


class _Part:
    """A part of a file, read from its start to its end."""

    def __init__(self, read: Callable[[int], bytes], size: int, order: str, padding: int = 0):
        self.left = size  # bytes of data
        self.order = order
        self._read = read
        self._padding = padding

    def take(self, count: int) -> bytearray:
        """The next `count` bytes."""
        if count > self.left:
            raise MatFault('a size that is too large')
        self.left -= count
        return self._exactly(count)

    def skip(self) -> None:
        """Passes over what is left; the part that this one lies in can be read on."""
        while self.left:
            self.take(min(self.left, _PIECE_BYTES))
        self._exactly(self._padding)
        self._padding = 0

    def numbers(self, count: int, kind: str) -> np.ndarray:
        """The next `count` numbers of a type, as numpy names it."""
        content = self.take(count * np.dtype(kind).itemsize)
        return np.frombuffer(content, f'{self.order}{kind}')

    def element(self) -> tuple[int, '_Part']:
        """Type and data of the next element; skip them before reading on here."""
        word = int(self.numbers(1, 'u4')[0])
        if word >> 16:  # a size in the upper half: four bytes at most, which follow at once
            content = io.BytesIO(self.take(4))
            return word & 0xFFFF, _Part(content.read, min(word >> 16, 4), self.order)
        size = int(self.numbers(1, 'u4')[0])
        if size > self.left:
            raise MatFault('a size that is too large')
        padding = 0 if word == _COMPRESSED else min(-size % 8, self.left - size)
        self.left -= size + padding
        return word, _Part(self._read, size, self.order, padding)

    def array(self, *kinds: int) -> np.ndarray:
        """The numbers of the next element, which is small and of one of these types."""
        kind, element = self.element()
        if kind not in kinds or element.left > _PIECE_BYTES:
            raise MatFault('an element of another type than expected')
        name = _NUMBERS.get(kind, 'u1')
        values = element.numbers(element.left // np.dtype(name).itemsize, name)
        element.skip()
        return values

    def _exactly(self, count: int) -> bytearray:
        content = bytearray()
        while len(content) < count:
            piece = self._read(min(count - len(content), _PIECE_BYTES))
            if not piece:
                raise MatFault('data that end early')
            content += piece
        return content


def _unpacked(
    packed: _Part, most: int, name: str, wanted: Sequence[str], limit: int | None
) -> dict[str, Matrix | None] | None:
    """As `_fields`, of a compressed element that holds at most `most` bytes."""
    unpacking = zlib.decompressobj()

    def read(count: int) -> bytes:
        while not unpacking.eof:
            source = unpacking.unconsumed_tail or packed.take(min(packed.left, _PIECE_BYTES))
            piece = unpacking.decompress(source, count)
            if piece or not source:
                return piece
        return b''

    try:
        kind, element = _Part(read, most, packed.order).element()
        fields = _fields(element, name, wanted, limit) if kind == _MATRIX else None
        element.skip()
        rest = read(1)  # after the last byte comes the checksum, which is looked at here
    except zlib.error as error:
        raise MatFault(f'damaged data, {error}') from error
    if rest or not unpacking.eof:
        raise MatFault('compressed data of another length than expected')
    return fields


def _fields(
    matrix: _Part, name: str, wanted: Sequence[str], limit: int | None
) -> dict[str, Matrix | None] | None:
    """The fields of a matrix that is a single struct of this name; None if it is not."""
    if not matrix.left or _class(matrix) != _STRUCT:
        return None
    if math.prod(_shape(matrix)) != 1 or _text(matrix) != name:
        return None
    lengths = matrix.array(_INT32)
    if len(lengths) != 1 or lengths[0] < 1:
        raise MatFault('a struct without names')
    length, names = int(lengths[0]), matrix.array(_INT8).tobytes()
    fields: dict[str, Matrix | None] = {}
    for start in range(0, len(names), length):
        kind, element = matrix.element()
        if kind != _MATRIX:
            raise MatFault('a field that is no matrix')
        field = names[start : start + length].partition(b'\0')[0].decode('latin-1')
        fields[field] = _matrix(element, limit) if field in wanted else None
        element.skip()
    return fields


def _matrix(matrix: _Part, limit: int | None) -> Matrix | None:
    """A matrix of real numbers; None if it is another."""
    if not matrix.left or _class(matrix) not in _NUMERIC:
        return None
    shape = _shape(matrix)
    _text(matrix)
    kind, data = matrix.element()
    count, rows = math.prod(shape), shape[0]
    if kind not in _NUMBERS or data.left != count * np.dtype(_NUMBERS[kind]).itemsize:
        raise MatFault(f'other data than shape {shape} has')
    columns = count // rows if rows else 0
    columns = columns if limit is None else min(limit, columns)
    values = data.numbers(columns * rows, _NUMBERS[kind])
    data.skip()
    return Matrix(shape, values.reshape(columns, rows).T)


def _class(matrix: _Part) -> int:
    """The class of a matrix; 0 for complex numbers."""
    flags = matrix.array(_UINT32)
    if len(flags) != 2:
        raise MatFault('a matrix without flags')
    return 0 if flags[0] & _COMPLEX else int(flags[0]) & 0xFF


def _shape(matrix: _Part) -> tuple[int, ...]:
    sizes = matrix.array(_INT32).tolist()
    if not 2 <= len(sizes) <= _MOST_DIMENSIONS or min(sizes) < 0:
        raise MatFault(f'a matrix of dimensions {sizes[:_MOST_DIMENSIONS]}')
    return tuple(sizes)


def _text(matrix: _Part) -> str:
    return matrix.array(_INT8, _UTF8).tobytes().decode('latin-1')
