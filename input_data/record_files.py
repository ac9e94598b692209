"""Record files (TFRecord) as files: which ones --data_dir means, and how many records they hold."""

import functools
import glob
import os
import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from input_data.errors import DataError

FRAME_BYTES = 16  # around each record: length (8), its checksum (4), checksum of the data (4)
_HEAD_BYTES = 12  # of these, what is before the record
_MOST_SHARDS = 99_999
_MOST_RECORD_BYTES = 64 << 20  # three images of 4096x4096 have 50 million
_LOOKS = 64  # frames at the start of a file that `count` looks at
_BLOCK_BYTES = 16 << 20  # read at a time


class Shard(NamedTuple):
    """A record file and the number of records in it."""

    path: str
    num_records: int


def resolve(data_dir: str, default_names: Sequence[str]) -> list[str]:
    """The files that `--data_dir` means.

    Args:
      data_dir: a directory that holds one of `default_names` (whole, or as shards
        NAME-SSSSS-of-NNNNN), a record file, `prefix@N` for N shards, or a glob pattern.
      default_names: file names or patterns to look for in a directory, the first found wins.

    Raises:
      DataError: if there is no such file, or shards are missing.
    """
    if os.path.isdir(data_dir):
        for name in default_names:
            path = os.path.join(data_dir, name)
            found = sorted(glob.glob(path)) or sorted(glob.glob(f'{path}-?????-of-?????'))
            if found:
                return _whole_sets(found, data_dir)
        wanted = ' or '.join(default_names)
        raise DataError(f'--data_dir={data_dir}: found no {wanted} in this directory')
    if os.path.isfile(data_dir):
        return [data_dir]
    sharded = re.fullmatch(r'(.+)@(\d+)', data_dir)
    if sharded:
        prefix, digits = sharded[1], sharded[2]
        count = int(digits) if len(digits) < 10 else _MOST_SHARDS + 1
        if not 1 <= count <= _MOST_SHARDS:
            raise DataError(
                f'--data_dir={data_dir}: expected 1 to {_MOST_SHARDS} shards, found {digits}'
            )
        files = [f'{prefix}-{shard:05d}-of-{count:05d}' for shard in range(count)]
        missing = [path for path in files if not os.path.isfile(path)]
        if missing:
            raise DataError(
                f'--data_dir={data_dir}: {len(missing)} of {count} shards are missing, '
                f'the first is {missing[0]}'
            )
        return files
    files = sorted(path for path in glob.glob(data_dir) if os.path.isfile(path))
    if not files:
        raise DataError(
            f'--data_dir={data_dir}: no such directory, file, pattern or set of shards (prefix@N)'
        )
    return _whole_sets(files, data_dir)


def _whole_sets(files: list[str], data_dir: str) -> list[str]:
    """Checks that sharded files are all there and belong to one set."""
    names = [re.fullmatch(r'(.+)-(\d{5})-of-(\d{5})', path) for path in files]
    if not all(names):
        return files
    sets = {(name[1], int(name[3])) for name in names}
    if len(sets) > 1:
        listed = ', '.join(f'{prefix}@{count}' for prefix, count in sorted(sets))
        raise DataError(f'--data_dir={data_dir}: found several sets of shards, name one: {listed}')
    prefix, count = next(iter(sets))
    return resolve(f'{prefix}@{count}', ())


def count(path: str) -> Shard:
    """Counts the records of a file by its frames, without reading the records.

    Raises:
      DataError: if the file is empty, no record file, or ends within a record.
    """
    size = _size(path)
    with open(path, 'rb') as file:
        stride = _frame_length(file, path, 0, 0) + FRAME_BYTES
        records, rest = divmod(size, stride)
        if rest == 0:
            # Writers of image records give all of them one length: look at some to be sure.
            positions = [*range(min(records, _LOOKS)), records - 1]
            if len({_head(file, stride * record) for record in positions}) == 1:
                return Shard(path, records)
        return Shard(path, _walk(file, path, size))


def check_frames(path: str, limit: int | None = None) -> None:
    """Looks at the frames of all records, or of the first `limit`.

    TensorFlow makes room for a record of whatever length its frame tells, and the process ends
    where there is none: look before it reads.

    Raises:
      DataError: as `count`.
    """
    size = _size(path)
    with open(path, 'rb') as file:
        stride = _frame_length(file, path, 0, 0) + FRAME_BYTES
        records, rest = divmod(size, stride)
        looked_at = records if limit is None else min(limit, records)
        if rest or not _are_alike(file, stride, looked_at):
            _walk(file, path, size, limit)


def _size(path: str) -> int:
    size = os.path.getsize(path)
    if size == 0:
        raise DataError(f'{path}: the record file is empty')
    return size


def _are_alike(file, stride: int, records: int) -> bool:
    """Whether the first `records` frames start like the very first one, each `stride` bytes on."""
    first = np.frombuffer(_head(file, 0), np.uint8)
    file.seek(0)
    at_once = max(1, _BLOCK_BYTES // stride)
    for record in range(0, records, at_once):
        block = file.read(stride * min(at_once, records - record))
        heads = np.frombuffer(block, np.uint8).reshape(-1, stride)[:, :_HEAD_BYTES]
        if np.any(heads != first):
            return False
    return True


def _walk(file, path: str, size: int, limit: int | None = None) -> int:
    """The number of records, after a look at each frame; at most `limit`, if given."""
    position = records = 0
    while position < size and records != limit:
        position += _frame_length(file, path, position, records) + FRAME_BYTES
        records += 1
    if position > size:
        raise DataError(
            f'{path}: cut short in record {records - 1}: expected {position} bytes, found {size}'
        )
    return records


def _head(file, position: int) -> bytes:
    file.seek(position)
    return file.read(_HEAD_BYTES)


def _frame_length(file, path: str, position: int, record: int) -> int:
    head = _head(file, position)
    if len(head) < _HEAD_BYTES:
        raise DataError(f'{path}: cut short in record {record}')
    length, checksum = struct.unpack('<QI', head)
    if _masked_crc32c(head[:8]) != checksum:
        what = 'not a TFRecord file' if record == 0 else f'record {record} has a corrupt length'
        raise DataError(f'{path}: {what} (checksum at byte {position} does not match)')
    if length > _MOST_RECORD_BYTES:
        raise DataError(
            f'{path}: record {record}: found a length of {length} bytes; expected '
            f'{_MOST_RECORD_BYTES} at most'
        )
    return length


@functools.lru_cache(maxsize=1024)  # most records have the length of others
def _masked_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
