"""Checkpoint files: damaged ones, and whole ones that lie about sizes."""

import functools
import pathlib
import struct
import tempfile
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from input_data import DatasetInfo
from input_data.records.frames import masked_crc32c
from jobs.evaluation import follow
from jobs.options import RunOptions
from models import HParams, build_model, checkpoint
from models.checkpoint import CheckpointError
from robustness.fuzz.limits import only
from robustness.fuzz.mutations import extremes, near

INDEX, DATA = '.index', '.data-00000-of-00001'
MAGIC = bytes.fromhex('57fb808b247547db')
NUMBERS = np.arange(6, dtype=np.float32).reshape(2, 3)


def varint(value: int) -> bytes:
    """A number of 7 bits a byte, lowest first."""
    content = b''
    while value > 127:
        content += bytes([value & 127 | 128])
        value >>= 7
    return content + bytes([value])


def block(rows: list[tuple[bytes, bytes]]) -> bytes:
    """A block of a table, each name spelled out."""
    content = b''.join(
        varint(0) + varint(len(name)) + varint(len(value)) + name + value for name, value in rows
    )
    return content + struct.pack('<2I', 0, 1)  # one place to start from, at 0


def around(content: bytes) -> bytes:
    """A table of one block, with right checksums."""
    table, handles = b'', []
    for part in (content, block([])):
        handles.append(varint(len(table)) + varint(len(part)))
        table += part + b'\0' + struct.pack('<I', masked_crc32c(part + b'\0'))
    index = block([(b'\xff', handles[0])])
    handles.append(varint(len(table)) + varint(len(index)))
    table += index + b'\0' + struct.pack('<I', masked_crc32c(index + b'\0'))
    return table + (handles[1] + handles[2]).ljust(40, b'\0') + MAGIC


def table(rows: list[tuple[bytes, bytes]]) -> bytes:
    return around(block(rows))


def entry(dims=NUMBERS.shape, size=NUMBERS.nbytes, unknown_rank=False, **others) -> bytes:
    """What an index says of `NUMBERS`."""
    message = tensor_bundle_pb2.BundleEntryProto(
        size=size,
        crc32c=masked_crc32c(NUMBERS.tobytes()),
        **{'dtype': types_pb2.DT_FLOAT, **others},
    )
    message.shape.unknown_rank = unknown_rank
    for dim in dims:
        message.shape.dim.add(size=dim)
    return message.SerializeToString()


HEADER = tensor_bundle_pb2.BundleHeaderProto(num_shards=1)
HEADER.version.producer = 1


@functools.cache
def small_model():
    return build_model('baseline', HParams(), DatasetInfo(20, 20, 1, 3, 1))


@functools.cache
def whole() -> dict[str, bytes]:
    """The files of a small checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/model.ckpt-7'
        tf.raw_ops.SaveV2(
            prefix=path,
            tensor_names=['global_step', 'numbers'],
            shape_and_slices=['', ''],
            tensors=[np.float32(7), NUMBERS],
        )
        return {ending: pathlib.Path(path + ending).read_bytes() for ending in (INDEX, DATA)}


def read(files: dict[str, bytes]) -> None:
    """Reads a checkpoint in every way there is."""
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/model.ckpt-7'
        for ending, content in files.items():
            pathlib.Path(path + ending).write_bytes(content)
        with only(CheckpointError, naming=path):
            checkpoint.verify(path)
        with only(CheckpointError, naming=path):
            assert checkpoint.step_of(path) >= 0
        with only(CheckpointError, naming=path):
            checkpoint.restore(path, small_model())


@pytest.mark.parametrize('ending', [INDEX, DATA])
@given(st.data())
def test_damaged_files(ending, data):
    read({**whole(), ending: data.draw(near(whole()[ending]))})


FOOTER_NUMBERS = st.lists(
    st.one_of(st.integers(0, 200), st.sampled_from(extremes('Q'))), min_size=4, max_size=4
)


@given(FOOTER_NUMBERS)
@example([0, 0, 0, 1 << 62])
def test_footers_that_lie(numbers):
    handles = b''.join(map(varint, numbers)).ljust(40, b'\0')[:40]
    read({**whole(), INDEX: whole()[INDEX][:-48] + handles + MAGIC})


ANY_NUMBER = st.one_of(st.integers(-3, 40), st.sampled_from(extremes('q')))
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        'dtype': st.sampled_from(types_pb2.DataType.values()),
        'dims': st.lists(ANY_NUMBER, max_size=10),
        'shard_id': st.sampled_from(extremes('i')),
        'offset': ANY_NUMBER,
        'size': ANY_NUMBER,
        'unknown_rank': st.booleans(),
    },
)
HEADERS = st.builds(
    tensor_bundle_pb2.BundleHeaderProto,
    num_shards=st.sampled_from([1, 1, 1, *extremes('i')]),
    endianness=st.sampled_from([0, 0, 1]),
)


@given(ENTRIES, HEADERS, st.binary(min_size=1, max_size=9))
@example({'dims': [1 << 40], 'size': 1 << 42}, HEADER, b'numbers')
@example({'dtype': types_pb2.DT_STRING}, HEADER, b'in\n2 \xfflines\0')
@example({}, HEADER, b'some\nweights')
@example({}, HEADER, b'\xff\0weights')
def test_entries_that_lie(changes, header, name):
    content = table([(b'', header.SerializeToString()), (name, entry(**changes))])
    read({INDEX: content, DATA: NUMBERS.tobytes()})


@given(st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=40)), max_size=4))
def test_tables_of_anything(rows):
    read({INDEX: table(rows), DATA: NUMBERS.tobytes()})


@given(near(block([(b'', b''), (b'number', b'value'), (b'numbers', b'value')])))
def test_blocks_of_anything(content):
    read({INDEX: around(content), DATA: NUMBERS.tobytes()})


def test_table_written_here_is_tensorflows():
    rows = [(b'', HEADER.SerializeToString()), (b'numbers', entry())]
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/model.ckpt-7'
        pathlib.Path(path + INDEX).write_bytes(table(rows))
        pathlib.Path(path + DATA).write_bytes(NUMBERS.tobytes())
        checkpoint.verify(path)
        found = tf.train.load_checkpoint(path).get_tensor('numbers')
    np.testing.assert_array_equal(found, NUMBERS)


STEPS = st.one_of(
    st.floats(width=32).map(np.float32),
    st.integers(-(1 << 63), (1 << 63) - 1).map(np.int64),
    st.just(np.zeros((2, 3), np.float32)),
    st.text(max_size=5),
)


@settings(max_examples=settings.default.max_examples // 4)  # it restores a whole network
@given(STEPS, st.sampled_from([np.float32, np.float64, np.int64, np.complex64, np.bool_]))
def test_tensors_of_other_types(step, kind):
    model = small_model()
    shapes = {name: variable.shape for name, variable in model.tf_variables().items()}
    names = {name: np.zeros(shape, kind) for name, shape in shapes.items()}
    tensors = {**names, 'global_step': step}
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/model.ckpt-7'
        tf.raw_ops.SaveV2(
            prefix=path,
            tensor_names=list(tensors),
            shape_and_slices=[''] * len(tensors),
            tensors=list(tensors.values()),
        )
        with only(CheckpointError, naming=path):
            checkpoint.restore(path, model)
        with only(CheckpointError, naming=path):
            assert checkpoint.step_of(path) >= 0


@given(near(b'model_checkpoint_path: "model.ckpt-2"\nall_model_checkpoint_paths: "/nowhere"\n'))
def test_state_of_anything(content):
    """A `checkpoint` file, which TensorFlow has faith in, does not say what is followed."""
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(summary_dir=folder, eval_interval_secs=0, eval_timeout_secs=0)
        train_dir = pathlib.Path(options.run.train_dir)
        train_dir.mkdir()
        (train_dir / 'checkpoint').write_bytes(content)
        (train_dir / 'model.ckpt-7.index').touch()
        with only():
            follower = follow._Follower(mock.Mock(), options)
            assert follower.wait().step == 7


@given(st.text('0123456789x-.\u0663', max_size=9))
def test_names_of_files(step):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, f'model.ckpt-{step}.index').touch()
        with only(CheckpointError):
            newest = checkpoint.latest(folder)
            assert newest is None or checkpoint.step_of(newest)
