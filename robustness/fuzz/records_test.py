"""Record files, the examples in them, and the pipelines that read them."""

import os
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from input_data import InputRequest, inputs, testing
from input_data.cifar10 import testing as cifar10_testing
from input_data.errors import DataError
from input_data.records import frames, paths
from robustness.fuzz.limits import file_of, only
from robustness.fuzz.mutations import extremes, near

IMAGES, LABELS = testing.digit_images(2, 8)
DIGIT = dict(height=8, width=8, depth=1, label=3, image_raw=IMAGES[0].tobytes())
TOY_IMAGE = np.zeros((2, 64, 64), np.uint8).tobytes()
TOY = dict(height=64, width=64, depth=2, label=3, meta=[4, 0, 0, 0], image_raw=TOY_IMAGE)
PHOTOGRAPH_IMAGE = cifar10_testing.random_images(1)[0].tobytes()
PHOTOGRAPH = dict(height=32, width=32, depth=3, label=3, image_raw=PHOTOGRAPH_IMAGE)
PAIR = testing.pair_record(IMAGES[0], IMAGES[1], LABELS[:2])
WHOLE = {
    ('mnist', 1): testing.example(**DIGIT),
    ('mnist', 2): PAIR,
    ('norb', 1): testing.example(**TOY),
    ('cifar10', 1): testing.example(**PHOTOGRAPH),
}


def frame(record: bytes, length: int | None = None) -> bytes:
    """A record as files hold it; its length may lie, with the right checksum."""
    head = struct.pack('<Q', len(record) if length is None else length)
    checksums = [frames.masked_crc32c(part) for part in (head, record)]
    return head + struct.pack('<I', checksums[0]) + record + struct.pack('<I', checksums[1])


# For tests that make pipelines of TensorFlow's, which take half a second.
few = settings(max_examples=settings.default.max_examples // 4)

SOME_RECORDS = st.lists(st.binary(max_size=40), min_size=1, max_size=5)
LIES = st.sampled_from(extremes('Q') + [40, 1 << 31, 1 << 40, 1 << 62])
LYING = st.builds(
    lambda before, record, length, after: b''.join(
        [*map(frame, before), frame(record, length), *map(frame, after)]
    ),
    SOME_RECORDS,
    st.binary(max_size=40),
    LIES,
    SOME_RECORDS,
)


@given(st.one_of(near(b''.join(map(frame, [b'some', b'', b'records']))), LYING))
@example(frame(b'abc') + frame(b'abc', 1 << 62) + frame(b'abc'))
def test_frames(content):
    with file_of(content) as path, only(DataError, naming=path):
        for _ in frames.RecordFiles([path]):
            pass


def test_record_of_more_than_memory():
    length = 3 << 30
    with file_of(frame(b'', length)[:12]) as path:
        os.truncate(path, length + frames.FRAME_BYTES)  # of no blocks: it takes no room
        with only(DataError, naming=path), pytest.raises(DataError, match='a length of'):
            frames.RecordFile(path)


@given(SOME_RECORDS)
@example([b'', bytes(16), b''])
def test_whole_files_are_read(contents):
    with file_of(b''.join(map(frame, contents))) as path:
        assert [record for _, _, record in frames.RecordFiles([path])] == contents


def test_frames_written_here_are_tensorflows():
    with file_of(b'') as path:
        testing.write_records(path, [b'some', b'records'])
        with open(path, 'rb') as file:
            assert file.read() == frame(b'some') + frame(b'records')


VALUES = st.one_of(
    st.sampled_from(extremes('q')),
    st.lists(st.integers(-2, 300), max_size=5),
    st.binary(max_size=80),
)


def changed_features(whole: dict):
    """Examples with some features of other values, or without them."""
    changes = st.dictionaries(st.sampled_from([*whole, 'other']), VALUES, max_size=3)
    lost = st.sets(st.sampled_from([*whole]), max_size=1)
    return st.builds(
        lambda new, gone: testing.example(
            **{name: value for name, value in {**whole, **new}.items() if name not in gone}
        ),
        changes,
        lost,
    )


def read(content: bytes, dataset: str, num_targets: int, validate: bool = False) -> None:
    """Reads a file as training and as evaluation do."""
    with file_of(content) as path:
        for split in ('test', 'train'):
            with only(DataError, naming=path):
                request = InputRequest(path, split, num_targets, validate, eval_size=10)
                batches, info = inputs(dataset, request)
                assert info.num_classes <= 256
                features = next(iter(batches))
                assert np.isfinite(features['images']).all()


@few
@given(st.sampled_from(list(WHOLE)), st.data())
def test_damaged_examples(kind, data):
    damaged = data.draw(near(WHOLE[kind]))
    read(frame(WHOLE[kind]) + frame(damaged), *kind)


@few
@given(st.sampled_from([('mnist', DIGIT), ('norb', TOY), ('cifar10', PHOTOGRAPH)]), st.data())
def test_examples_of_other_features(kind, data):
    dataset, whole = kind
    others = data.draw(st.lists(changed_features(whole), min_size=1, max_size=3))
    contents = [testing.example(**whole), *others][data.draw(st.integers(0, 1)) :]
    read(b''.join(map(frame, contents)), dataset, 1, validate=data.draw(st.booleans()))


@pytest.mark.parametrize('label', [256, 10**6, 1 << 62])
def test_label_beyond_any_data_set(label):
    with (
        file_of(frame(testing.example(**{**DIGIT, 'label': label}))) as path,
        pytest.raises(DataError, match=f'record 0: label is {label}, expected'),
    ):
        inputs('mnist', InputRequest(path, 'test'))


def test_many_tiny_records_beside_large_ones():
    content = frame(testing.example(**TOY)) * 128 + frame(b'') * 200_000
    with file_of(content) as path, only(DataError, naming=path), pytest.raises(DataError):
        inputs('norb', InputRequest(path, 'test'))


NAMES = st.text('ab/.@*?[]-0123456789', max_size=30)


@given(
    st.one_of(
        NAMES,
        st.text(st.characters(exclude_characters='\0'), max_size=20),
        NAMES.map(lambda name: f'{name}@{"9" * 5000}'),
    )
)
@example('\n')
def test_names_of_files(name):
    with only(DataError):
        assert paths.resolve(f'nowhere/{name}', ())
