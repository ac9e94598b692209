"""Raw data files: IDX, smallNORB's matrices, CIFAR-10's binary version."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from input_data.cifar10 import raw as cifar10_raw
from input_data.cifar10 import testing as cifar10_testing
from input_data.errors import DataError
from input_data.mnist import raw as mnist_raw
from input_data.norb import raw as norb_raw
from input_data.norb import testing as norb_testing
from robustness.fuzz.limits import file_of, only
from robustness.fuzz.mutations import compressed, fields, gzip_bomb, near

IMAGES = bytes([0, 0, 8, 3]) + struct.pack('>3I', 3, 4, 5) + bytes(range(60))
LABELS = bytes([0, 0, 8, 1]) + struct.pack('>I', 3) + bytes([3, 1, 2])
MATRIX = norb_testing.matrix_bytes(np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
BATCH_LABELS = st.lists(st.integers(0, 9), min_size=1, max_size=3)
MORE_THAN_MEMORY = 3 << 30


@given(compressed(near(IMAGES, fields(0, '>4I'))))
def test_idx_images(content):
    with file_of(content) as path, only(DataError, naming=path):
        images = mnist_raw.read_idx(path, 3)
        assert images.ndim == 3 and images.size


@given(compressed(near(LABELS, fields(0, '>2I'))))
def test_idx_labels(content):
    with file_of(content) as path, only(DataError, naming=path):
        assert mnist_raw.read_idx(path, 1).ndim == 1


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3)))
def test_idx_gives_back_what_was_written(images):
    with file_of(b'') as path:
        mnist_raw.write_idx(path, images)
        np.testing.assert_array_equal(mnist_raw.read_idx(path, 3), images)


def test_idx_bomb():
    start = bytes([0, 0, 8, 3]) + struct.pack('>3I', (1 << 32) - 1, 1, 1)
    with (
        file_of(gzip_bomb(start, MORE_THAN_MEMORY)) as path,
        only(DataError, naming=path),
        pytest.raises(DataError, match='more than'),
    ):
        mnist_raw.read_idx(path, 3)


@given(compressed(near(MATRIX, fields(0, '<5i'))))
def test_norb_matrix(content):
    with file_of(content) as path, only(DataError, naming=path):
        assert norb_raw.read_matrix(path, 'u1', 3).size


@given(
    st.sampled_from(['u1', '<i4']).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(max_dims=4))
    )
)
def test_norb_matrix_gives_back_what_was_written(values):
    with file_of(norb_testing.matrix_bytes(values)) as path:
        element_type = 'u1' if values.itemsize == 1 else '<i4'
        np.testing.assert_array_equal(norb_raw.read_matrix(path, element_type, values.ndim), values)


SPLIT = norb_testing.toys([4])
SPLIT_FILES = {kind: norb_testing.matrix_bytes(values) for kind, values in SPLIT.items()}


@given(
    st.sampled_from(list(SPLIT_FILES)).flatmap(
        lambda kind: st.tuples(st.just(kind), near(SPLIT_FILES[kind], fields(0, '<6i')))
    )
)
def test_norb_split(damaged):
    with file_of(b'') as path:
        folder = path.removesuffix('/file')
        paths = norb_testing.write_split(folder, 'train', SPLIT)
        kind, content = damaged
        paths[kind].write_bytes(content)
        with only(DataError, naming=folder):
            raw = norb_raw.read_split(folder, 'train')
            assert len(raw.images) == len(raw.categories)


def test_norb_bomb():
    start = struct.pack('<6i', norb_testing.MAGIC['u1'], 4, (1 << 31) - 1, 2, 4096, 4096)
    with (
        file_of(gzip_bomb(start, MORE_THAN_MEMORY)) as path,
        only(DataError, naming=path),
        pytest.raises(DataError, match='more than'),
    ):
        norb_raw.read_matrix(path, 'u1', 4)


@given(near(b''.join(bytes([label]) + bytes(3072) for label in (3, 9))))
def test_cifar10_binary(content):
    with file_of(content) as path, only(DataError, naming=path):
        images, labels = cifar10_raw.read(path)
        assert images.shape == (len(labels), 3, 32, 32) and labels.max() < 10


@given(BATCH_LABELS, st.integers(0, 99))
def test_cifar10_gives_back_what_was_written(labels, seed):
    images, _ = cifar10_testing.random_images(len(labels), seed)
    with file_of(b'') as path:
        cifar10_testing.write_batch(path, images, np.array(labels, np.uint8))
        found, found_labels = cifar10_raw.read(path)
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(found_labels, labels)
