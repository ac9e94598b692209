"""Record files (TFRecord) taken apart: any record by its number, its checksums compared.

Records are read from their place in the file and not through a memory map: what was read then
never counts as this process's memory, and a file that somebody cuts short while a job reads it is
an error and not the end of the process.
"""

import array
import functools
import io
import os
import struct
import weakref
from collections.abc import Iterator, Sequence

import google_crc32c
import numpy as np

from input_data.errors import DataError

FRAME_BYTES = 16  # around each record: length (8), its checksum (4), checksum of the data (4)
_HEAD_BYTES = 12  # of these, what is before the record
_MOST_RECORD_BYTES = 64 << 20  # three images of 4096x4096 have 50 million
# Frames, evenly spread, that tell whether all records have one length: another length displaces all
# frames behind it. 4,096 took a second for a file that was not in the system's cache.
_LOOKS = 256
_MOST_OPEN = 256  # files kept open; with more each is opened for each record


def masked_crc32c(data: bytes) -> int:
    """The checksum of TFRecord: CRC-32C, rotated and offset."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@functools.lru_cache(maxsize=1024)  # most records have the length of others
def _head(length: int) -> bytes:
    """What stands before a record of so many bytes."""
    head = struct.pack('<Q', length)
    return head + struct.pack('<I', masked_crc32c(head))


def _read_head(file: io.FileIO, position: int) -> bytes:
    return os.pread(file.fileno(), _HEAD_BYTES, position)


class RecordFile:
    """One record file.

    Of records of one length, as all writers of images make them, the places follow from the
    number; of others they are looked up once and kept, 8 bytes for each.
    """

    def __init__(self, path: str) -> None:
        """Raises DataError if the file is empty, no record file, or ends within a record."""
        self.path = path
        self._descriptor: int | None = None
        size = os.path.getsize(path)
        if size == 0:
            raise DataError(f'{path}: the record file is empty')
        with io.FileIO(path) as file:
            self._stride = self._frame_bytes(_read_head(file, 0), 0, 0)
            self.num_records, rest = divmod(size, self._stride)
            self._starts = None
            if rest or not self._are_alike(file):
                self._starts = self._walk(file, size)
                self.num_records = len(self._starts) - 1

    def keep_open(self) -> None:
        """Opens the file once for all records to come."""
        self._descriptor = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, record: int) -> bytes:
        """One record; raises DataError if it is corrupt."""
        if self._starts is None:
            start, end = record * self._stride, (record + 1) * self._stride
        else:
            start, end = self._starts[record : record + 2]
        if self._descriptor is not None:
            frame = os.pread(self._descriptor, end - start, start)
        else:
            with io.FileIO(self.path) as file:
                frame = os.pread(file.fileno(), end - start, start)
        data = frame[_HEAD_BYTES:-4]
        checksum = masked_crc32c(data).to_bytes(4, 'little')
        if frame[:_HEAD_BYTES] != _head(end - start - FRAME_BYTES) or frame[-4:] != checksum:
            self._frame_bytes(frame[:_HEAD_BYTES], start, record)  # perhaps this is what is wrong
            if len(frame) < end - start:
                raise DataError(f'{self.path}: cut short in record {record}')
            raise DataError(f'{self.path}: record {record} is corrupt (checksum does not match)')
        return data

    def _are_alike(self, file: io.FileIO) -> bool:
        """Whether frames from all over the file start like the very first one."""
        looks = min(self.num_records, _LOOKS)
        places = np.linspace(0, self.num_records - 1, looks).astype(np.int64)
        return len({_read_head(file, int(place) * self._stride) for place in places}) == 1

    def _walk(self, file: io.FileIO, size: int) -> array.array:
        """Where each record starts, and where the last one ends."""
        starts = array.array('q', [0])
        while (start := starts[-1]) < size:
            head = _read_head(file, start)
            starts.append(start + self._frame_bytes(head, start, len(starts) - 1))
        if start > size:
            raise DataError(
                f'{self.path}: cut short in record {len(starts) - 2}: '
                f'expected {start} bytes, found {size}'
            )
        return starts

    def _frame_bytes(self, head: bytes, position: int, record: int) -> int:
        """The length of a record and its frame, if what its head tells can be true."""
        if len(head) < _HEAD_BYTES:
            raise DataError(f'{self.path}: cut short in record {record}')
        length, checksum = struct.unpack('<QI', head)
        if masked_crc32c(head[:8]) != checksum:
            what = 'not a TFRecord file' if record == 0 else f'record {record} has a corrupt length'
            raise DataError(f'{self.path}: {what} (checksum at byte {position} does not match)')
        if length > _MOST_RECORD_BYTES:
            raise DataError(
                f'{self.path}: record {record}: found a length of {length} bytes; expected '
                f'{_MOST_RECORD_BYTES} at most'
            )
        return length + FRAME_BYTES


class RecordFiles:
    """Several record files as one, their records numbered from the first file to the last."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Raises DataError as `RecordFile`."""
        self.files = [RecordFile(path) for path in paths]
        self.num_bytes = sum(os.path.getsize(path) for path in paths)
        self._ends = np.cumsum([file.num_records for file in self.files])
        if len(paths) <= _MOST_OPEN:
            for file in self.files:
                file.keep_open()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[tuple[str, int, bytes]]:
        """(path, number in this file, record) of each; raises DataError as `read`."""
        for file in self.files:
            for record in range(file.num_records):
                yield file.path, record, file.read(record)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """Records by their numbers int64 [k], in any order: bytes [k], as objects.

        Raises:
          DataError: naming the file and the record that is corrupt.
        """
        of_file = np.searchsorted(self._ends, numbers, side='right')  # [k]
        within = numbers - np.concatenate([[0], self._ends])[of_file]  # [k]
        chosen = zip(of_file.tolist(), within.tolist(), strict=True)
        records = [self.files[file].read(record) for file, record in chosen]
        return np.array(records, object)
