"""How many records a file holds, and what its frames may tell."""

import os
import struct

import pytest

from input_data import testing
from input_data.errors import DataError
from input_data.records import frames
from input_data.records import read as records


def write(folder, lengths: list[int]) -> str:
    return testing.write_records(f'{folder}/records', [bytes(length) for length in lengths])


@pytest.mark.parametrize(
    'lengths',
    [
        [5],
        [0, 16, 0],  # the second is as long as two of the others, with what is around them
        [9, 8, 10, 9],
        [9] * 70,
        [9] * 60 + [34] + [9] * 60,
        [9] * 70 + [8] + [9] * 70,
    ],
)
def test_counts_records_of_one_length_and_of_several(tmp_path, lengths):
    path = write(tmp_path, lengths)
    assert frames.count(path) == (path, len(lengths))
    frames.check_frames(path)
    found = [len(record.numpy()) for record in records.serialized_examples([path])]
    assert found == lengths


def test_first_frames_are_all_that_is_looked_at(tmp_path):
    path = write(tmp_path, [5, 6, 7])
    os.truncate(path, os.path.getsize(path) - 1)
    frames.check_frames(path, 2)
    with pytest.raises(DataError, match=f'{path}: cut short in record 2: expected 66 bytes'):
        frames.check_frames(path, 3)


@pytest.mark.parametrize('look', [frames.count, frames.check_frames])
@pytest.mark.parametrize('before', [[], [3, 4]])
def test_no_record_is_longer_than_any_image(tmp_path, look, before):
    path = write(tmp_path, before)
    length = 3 << 30
    head = struct.pack('<Q', length)
    with open(path, 'ab') as file:
        file.write(head + struct.pack('<I', frames.masked_crc32c(head)))
        # A file without blocks of its own: it takes no room, and its length is what it tells.
        file.truncate(file.tell() + length + 4)
    expected = f'{path}: record {len(before)}: found a length of {length} bytes; expected'
    with pytest.raises(DataError, match=expected):
        look(path)
