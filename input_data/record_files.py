"""Record files (TFRecord) as files: which ones --data_dir means, and how many records they hold."""

import glob
import os
import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

from input_data.errors import DataError

FRAME_BYTES = 16  # around each record: length (8), its checksum (4), checksum of the data (4)


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
        prefix, count = sharded[1], int(sharded[2])
        if not 1 <= count <= 99999:
            raise DataError(f'--data_dir={data_dir}: expected 1 to 99999 shards, found {count}')
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
    size = os.path.getsize(path)
    if size == 0:
        raise DataError(f'{path}: the record file is empty')
    with open(path, 'rb') as file:
        length = _frame_length(file, path, 0, 0)
        # Writers of image records give all of them one length: look at the last to be sure.
        records, rest = divmod(size, length + FRAME_BYTES)
        last = (records - 1) * (length + FRAME_BYTES)
        if rest == 0 and _looks_like_frame(file, last, length):
            return Shard(path, records)
        position = records = 0
        while position < size:
            position += _frame_length(file, path, position, records) + FRAME_BYTES
            records += 1
        if position > size:
            raise DataError(
                f'{path}: cut short in record {records - 1}: '
                f'expected {position} bytes, found {size}'
            )
    return Shard(path, records)


def _looks_like_frame(file, position: int, length: int) -> bool:
    file.seek(position)
    return file.read(8) == struct.pack('<Q', length)


def _frame_length(file, path: str, position: int, record: int) -> int:
    file.seek(position)
    head = file.read(12)
    if len(head) < 12:
        raise DataError(f'{path}: cut short in record {record}')
    length, checksum = struct.unpack('<QI', head)
    if _masked_crc32c(head[:8]) != checksum:
        what = 'not a TFRecord file' if record == 0 else f'record {record} has a corrupt length'
        raise DataError(f'{path}: {what} (checksum at byte {position} does not match)')
    return length


def _masked_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
