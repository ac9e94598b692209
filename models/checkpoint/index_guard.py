"""What a checkpoint's index file says, checked before TensorFlow reads it.

TensorFlow believes a size that it reads there: it makes room for it, and where there is none the
process ends. The file is a table of LevelDB's format, of the names in order, each with a
BundleEntryProto.
"""

import math
import pathlib
import struct
from collections.abc import Iterator

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from common.errors import UserError

_FOOTER_BYTES, _MAGIC = 48, bytes.fromhex('57fb808b247547db')
_TRAILER_BYTES = 5  # after a block: its compression and a checksum, which TensorFlow looks at
_MOST_INDEX_BYTES = 1 << 20  # a checkpoint of ours has 4,000
_LONGEST_NAME = 256
_MOST_DIMENSIONS = 8
_ITEM_BYTES = {
    types_pb2.DT_FLOAT: 4,
    types_pb2.DT_DOUBLE: 8,
    types_pb2.DT_INT32: 4,
    types_pb2.DT_INT64: 8,
}


class IndexFault(UserError):
    """What is wrong with an index file."""


def check(path: str) -> None:
    """Looks through the index of a checkpoint at a path, which has no endings of files.

    Raises:
      IndexFault: the index is damaged, or promises other data than the data files hold.
      OSError: a file cannot be read.
    """
    with open(f'{path}.index', 'rb') as file:
        content = file.read(_MOST_INDEX_BYTES + 1)
    if len(content) > _MOST_INDEX_BYTES:
        raise IndexFault(f'found an index of more than {_MOST_INDEX_BYTES} bytes')
    try:
        entries = _entries(content)
        name, header = next(entries, (None, b''))
        num_shards = tensor_bundle_pb2.BundleHeaderProto.FromString(header).num_shards
        if name != b'' or num_shards < 1:
            raise IndexFault('found an index without its first entry')
        sizes: dict[int, int] = {}
        for name, value in entries:
            entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
            if not 0 <= entry.shard_id < num_shards:
                raise IndexFault(f'found data file {entry.shard_id}; expected one of {num_shards}')
            if entry.shard_id not in sizes:
                data = pathlib.Path(f'{path}.data-{entry.shard_id:05d}-of-{num_shards:05d}')
                sizes[entry.shard_id] = data.stat().st_size
            _check_entry(name.decode(), entry, sizes[entry.shard_id])
    except (DecodeError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise IndexFault('found a damaged index') from error


def _check_entry(name: str, entry: tensor_bundle_pb2.BundleEntryProto, data_bytes: int) -> None:
    sizes = [dim.size for dim in entry.shape.dim]
    if entry.dtype not in _ITEM_BYTES or entry.slices:
        raise IndexFault(f'{name}: found no tensor of numbers')
    if entry.shape.unknown_rank or len(sizes) > _MOST_DIMENSIONS or min(sizes, default=0) < 0:
        raise IndexFault(f'{name}: found no shape of a tensor')
    expected = math.prod(sizes) * _ITEM_BYTES[entry.dtype]
    if entry.size != expected:
        raise IndexFault(f'{name}: found {entry.size} bytes for shape {sizes}; expected {expected}')
    if entry.offset < 0 or entry.offset + entry.size > data_bytes:
        raise IndexFault(
            f'{name}: found bytes {entry.offset} to {entry.offset + entry.size}; expected them '
            f'in a data file of {data_bytes}'
        )


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of a table, in order."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or not footer.endswith(_MAGIC):
        raise IndexFault('found no index file')
    _, _, position = _handle(footer, 0)
    index_start, index_end, _ = _handle(footer, position)
    before, last = 0, None
    for _, value in _block_entries(content, index_start, index_end):
        start, end, _ = _handle(value, 0)
        if start < before:
            raise IndexFault('found a damaged index')  # a block twice, perhaps many times
        before = end
        for name, entry in _block_entries(content, start, end):
            if last is not None and name <= last:
                raise IndexFault('found names out of order')
            last = name
            yield name, entry


def _block_entries(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of a block; a name gives only how it differs from the one before."""
    if end + _TRAILER_BYTES > len(content) - _FOOTER_BYTES or content[end] != 0:
        raise IndexFault('found a damaged index')
    whole = content[start:end]
    [num_restarts] = struct.unpack('<I', whole[-4:])
    end = len(whole) - 4 - 4 * num_restarts
    if end < 0:
        raise IndexFault('found a damaged index')
    position, name = 0, b''
    while position < end:
        shared, position = _varint(whole, position)
        added, position = _varint(whole, position)
        size, position = _varint(whole, position)
        if shared > len(name) or position + added + size > end or shared + added > _LONGEST_NAME:
            raise IndexFault('found a damaged index')
        name = name[:shared] + whole[position : position + added]
        position += added
        yield name, whole[position : position + size]
        position += size


def _handle(content: bytes, position: int) -> tuple[int, int, int]:
    """Where a block starts and ends, and where the next number starts."""
    start, position = _varint(content, position)
    size, position = _varint(content, position)
    return start, start + size, position


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and where the next one starts."""
    value = 0
    for shift in range(0, 64, 7):
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise IndexFault('found a damaged index')
