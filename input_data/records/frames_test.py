"""Records by their numbers, and what frames may tell."""

import os
import struct

import numpy as np
import pytest

from input_data import testing
from input_data.errors import DataError
from input_data.records import frames


def write(path, lengths: list[int]) -> tuple[str, list[bytes]]:
    contents = [bytes([number % 251]) * length for number, length in enumerate(lengths)]
    return testing.write_records(path, contents), contents


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
def test_reads_records_of_one_length_and_of_several(tmp_path, lengths):
    path, contents = write(tmp_path / 'records', lengths)
    file = frames.RecordFile(path)
    assert file.num_records == len(lengths)
    assert [file.read(number) for number in range(len(lengths))] == contents
    file.keep_open()
    assert file.read(len(lengths) - 1) == contents[-1]


@pytest.mark.parametrize('most_open', [0, 3])
def test_files_are_read_as_one(tmp_path, monkeypatch, most_open):
    monkeypatch.setattr(frames, '_MOST_OPEN', most_open)
    lengths = ([7] * 5, [3, 4], [7] * 3)
    written = [write(tmp_path / str(name), each) for name, each in enumerate(lengths)]
    contents = [content for _, each in written for content in each]
    files = frames.RecordFiles([path for path, _ in written])
    assert len(files) == len(contents) == 10
    assert [record for _, _, record in files] == contents
    assert [(path, number) for path, number, _ in files][5:7] == [
        (written[1][0], 0),
        (written[1][0], 1),
    ]
    numbers = np.array([9, 0, 6, 5, 4, 4])
    assert files.read(numbers).tolist() == [contents[number] for number in numbers]


@pytest.mark.parametrize('lengths', [[9] * 9, [9, 8, 7, 6, 5, 4, 3, 2, 1]])
def test_every_changed_byte_is_noticed(tmp_path, lengths):
    path, contents = write(tmp_path / 'records', lengths)
    files = frames.RecordFiles([path])
    whole = (tmp_path / 'records').read_bytes()
    start = sum(length + frames.FRAME_BYTES for length in lengths[:4])
    for place in range(start, start + lengths[4] + frames.FRAME_BYTES):
        (tmp_path / 'records').write_bytes(
            whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        )
        with pytest.raises(DataError, match=f'{path}: record 4 (is corrupt|has a corrupt length)'):
            files.read(np.array([4]))
        assert files.read(np.array([3, 5])).tolist() == [contents[3], contents[5]]


@pytest.mark.parametrize('before', [[], [3, 4]])
def test_no_record_is_longer_than_any_image(tmp_path, before):
    path, _ = write(tmp_path / 'records', before)
    length = 3 << 30
    head = struct.pack('<Q', length)
    with open(path, 'ab') as file:
        file.write(head + struct.pack('<I', frames.masked_crc32c(head)))
        # A file without blocks of its own: it takes no room, and its length is what it tells.
        file.truncate(file.tell() + length + 4)
    expected = f'{path}: record {len(before)}: found a length of {length} bytes; expected'
    with pytest.raises(DataError, match=expected):
        frames.RecordFile(path)


def test_cut_short(tmp_path):
    path, _ = write(tmp_path / 'records', [5, 6, 7])
    os.truncate(path, os.path.getsize(path) - 1)
    with pytest.raises(DataError, match=f'{path}: cut short in record 2: expected 66 bytes'):
        frames.RecordFile(path)
