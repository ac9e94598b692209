"""The frames of record files (TFRecord): how many records there are, before TensorFlow reads."""

import os
import struct
from typing import NamedTuple

import google_crc32c
import numpy as np

from input_data.errors import DataError

FRAME_BYTES = 16  # around each record: length (8), its checksum (4), checksum of the data (4)
_HEAD_BYTES = 12  # of these, what is before the record
_MOST_RECORD_BYTES = 64 << 20  # three images of 4096x4096 have 50 million
_LOOKS = 64  # frames at the start of a file that `count` looks at
_BLOCK_BYTES = 16 << 20  # read at a time


class Shard(NamedTuple):
    """A record file and the number of records in it."""

    path: str
    num_records: int


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord: CRC-32C, rotated and offset."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


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
    if masked_crc32c(head[:8]) != checksum:
        what = 'not a TFRecord file' if record == 0 else f'record {record} has a corrupt length'
        raise DataError(f'{path}: {what} (checksum at byte {position} does not match)')
    if length > _MOST_RECORD_BYTES:
        raise DataError(
            f'{path}: record {record}: found a length of {length} bytes; expected '
            f'{_MOST_RECORD_BYTES} at most'
        )
    return length
