"""The release's record files: their very bytes, and what our readers make of them."""

import numpy as np
import pytest
import tensorflow as tf

from input_data import Batching, InputRequest, inputs
from input_data.released_testing import RELEASED, encode_example, released_folders


def read(dataset, path, split, num_targets=1, count=4):
    request = InputRequest(str(path), split, num_targets=num_targets, batching=Batching(count))
    batches, info = inputs(dataset, request)
    return next(iter(batches.as_numpy_iterator())), info


@pytest.mark.parametrize(
    'name, split, num_targets, size, count, label',
    [
        ('test_0shifted_mnist.tfrecords', 'test', 1, 28, 4, 7),
        ('train_2shifted_mnist.tfrecords', 'train', 1, 28, 4, 5),
        ('multitest_4shifted_mnist.tfrecords@2', 'test', 2, 36, 4, 7),
        ('multitrain_4shifted_mnist.tfrecords@3', 'train', 2, 36, 6, 5),
    ],
)
def test_digits_and_pairs(tmp_path, name, split, num_targets, size, count, label):
    for folder in released_folders(str(tmp_path)):
        batch, info = read('mnist', folder / name, split, num_targets, count)
        assert (info.height, info.width, info.num_examples) == (size, size, count)
        assert set(batch['target_labels'][:, 0]) == {label}
        assert 0 <= batch['images'].min() < 0.1 and 0.9 < batch['images'].max() <= 1
        if num_targets == 2:
            merged = np.minimum(batch['target_images'].sum(axis=1), 1)
            np.testing.assert_allclose(batch['images'], merged, atol=1e-6)


@pytest.mark.parametrize('split', ['train', 'test'])
def test_toys(tmp_path, split):
    for folder in released_folders(str(tmp_path)):
        batch, info = read('norb', folder, split, count=6)
        assert info.num_examples == len(batch['images']) == 6
        assert sorted(batch['target_labels'][:, 0]) == [0, 0, 1, 2, 3, 4]
        # In a photograph neighbours are alike; a wrong order of pixels would part them.
        images = batch['target_images'][:, 0]
        assert np.corrcoef(images[:, 1:].ravel(), images[:, :-1].ravel())[0, 1] > 0.8


@pytest.mark.skipif(not RELEASED.exists(), reason="the release's own files are not at hand")
def test_the_layout_is_the_releases_to_the_byte():
    for path in sorted(RELEASED.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            values = {
                name: [*value.int64_list.value] or value.bytes_list.value[0]
                for name, value in features.items()
            }
            order = sorted(
                values, key=lambda name: record.index(b'\n%c' % len(name) + name.encode())
            )
            assert encode_example(order, values) == record, path
