"""The reader of CIFAR-10: values, order, where files are found, and what it refuses."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import input_data
from input_data import Batching, DataError, InputRequest
from input_data import testing as record_testing
from input_data.cifar10 import cifar10_records, testing
from input_data.records import read as records


def read(data_dir, split='test', batches=10, **overrides):
    """All batches of a test split, or some of a training split."""
    dataset, info = input_data.inputs('cifar10', InputRequest(str(data_dir), split, **overrides))
    if split == 'train':
        dataset = dataset.take(batches)
    return list(dataset.as_numpy_iterator()), info


def record(image, label, **overrides):
    sizes = dict(height=32, width=32, depth=3, label=int(label), image_raw=image.tobytes())
    return record_testing.example(**{**sizes, **overrides})


class Cifar10InputTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def test_test_images_in_order(self):
        images, labels = testing.random_images(25)
        testing.write_batch(self.directory / 'test_batch.bin', images, labels)
        batches, info = read(self.directory, eval_batch_size=10)
        self.assertEqual([len(batch['images']) for batch in batches], [10, 10, 5])
        self.assertEqual((info.height, info.width, info.depth), (24, 24, 3))
        self.assertEqual((info.num_classes, info.num_targets, info.num_examples), (10, 1, 25))
        self.assertEqual((info.class_names[0], info.class_names[9]), ('airplane', 'truck'))
        whole = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
        middle = images.transpose(0, 2, 3, 1)[:, 4:28, 4:28]  # [25, 24, 24, 3]
        self.assertAllClose(whole['images'], [*map(testing.standardize, middle)], rtol=0, atol=1e-5)
        self.assertAllEqual(whole['target_images'], whole['images'][:, None])
        self.assertAllEqual(whole['labels'], np.eye(10)[labels])
        self.assertAllEqual(whole['target_labels'], labels[:, None])
        self.assertDTypeEqual(whole['images'], np.float32)
        self.assertDTypeEqual(whole['target_labels'], np.int32)
        batches, info = read(self.directory, eval_batch_size=10, eval_size=12)
        self.assertEqual(sum(len(batch['images']) for batch in batches), 12)
        self.assertEqual(info.num_examples, 12)

    def test_training_is_a_function_of_seed_and_step(self):
        testing.write_binary(self.directory, count=6)

        def stream(batches, seed=1, **batching):
            options = Batching(6, seed=seed, **batching)
            rows, info = read(self.directory, 'train', batches, batching=options)
            self.assertEqual(info.num_examples, 30)
            return np.concatenate([batch['images'] for batch in rows])

        whole = stream(15)  # three epochs of 30
        self.assertEqual(whole.shape, (90, 24, 24, 3))
        self.assertLen(np.unique(whole[:, 3, 3, 0]), 90)  # no two are distorted alike
        self.assertAllEqual(stream(15), whole)
        self.assertAllEqual(stream(11, first_step=4), whole[24:])
        self.assertAllEqual(stream(30, replicas=2), whole)
        workers = [stream(15, num_workers=2, worker=w).reshape(15, 3, -1) for w in range(2)]
        self.assertAllEqual(np.stack(workers, axis=1).reshape(whole.shape), whole)
        self.assertNotAllClose(stream(15, seed=2), whole)

    def test_an_epoch_has_every_image_once(self):
        images, _ = testing.random_images(50)
        for number in range(5):
            part = images[number * 10 : number * 10 + 10]
            path = self.directory / f'data_batch_{number + 1}.bin'
            testing.write_batch(path, part, range(10))
        batches, _ = read(self.directory, 'train', 5, batching=Batching(10))
        labels = np.concatenate([batch['target_labels'][:, 0] for batch in batches])
        self.assertAllEqual(np.bincount(labels), [5] * 10)

    @parameterized.parameters('', 'cifar-10-batches-bin', 'cifar10/cifar-10-batches-bin')
    def test_folders_and_the_validation_split(self, folder):
        images = testing.write_binary(self.directory / folder, count=4)
        for validate, name, train_size in ((False, 'test_batch', 20), (True, 'data_batch_5', 16)):
            batches, info = read(self.directory, validate=validate)
            middle = images[name].transpose(0, 2, 3, 1)[:, 4:28, 4:28]  # [4, 24, 24, 3]
            expected = [*map(testing.standardize, middle)]
            self.assertAllClose(batches[0]['images'], expected, rtol=0, atol=1e-5)
            self.assertEqual(info.num_examples, 4)
            _, info = read(self.directory, 'train', validate=validate)
            self.assertEqual(info.num_examples, train_size)

    @parameterized.product(split=['train', 'test'], validate=[False, True], limit=[0, 1 << 28])
    def test_records_are_as_good(self, split, validate, limit):
        binary, output = self.directory / 'binary', self.directory / 'records'
        testing.write_binary(binary, count=5)
        name = f'valid_{split}' if validate else split
        path, _ = cifar10_records.write(str(binary), name, str(output))
        mock = tf.compat.v1.test.mock
        self.enter_context(mock.patch.object(records, 'MEMORY_LIMIT_BYTES', limit))
        expected, info = read(binary, split, validate=validate, batching=Batching(4))
        sources = (output, path, f'{output}/{name}_c*')
        for source in sources:
            found, found_info = read(source, split, validate=validate, batching=Batching(4))
            self.assertEqual(found_info, info)
            self.assertAllEqual(found[0]['images'], expected[0]['images'])
            self.assertAllEqual(found[-1]['labels'], expected[-1]['labels'])

    def test_shards_of_records_and_binary_files_by_name(self):
        images, labels = testing.random_images(6)
        rows = [record(*pair) for pair in zip(images, labels, strict=True)]
        prefix = self.directory / 'mine'
        record_testing.write_records(f'{prefix}-00000-of-00002', rows[:2])
        record_testing.write_records(f'{prefix}-00001-of-00002', rows[2:])
        testing.write_batch(self.directory / 'any.bin', images, labels)
        expected, _ = read(f'{prefix}@2')
        found, _ = read(self.directory / 'any.bin')
        self.assertAllEqual(found[0]['images'], expected[0]['images'])
        self.assertAllEqual(found[0]['target_labels'][:, 0], labels)

    @parameterized.parameters(
        (b'\1' * 3074, 'found 3074 bytes; expected a multiple of 3073'),
        (b'\1' * 3072, 'found 3072 bytes'),
        (b'', 'found 0 bytes'),
        (b'\1' * 3073 + b'\x0a' * 3073, 'record 1: found label 10; expected 0 to 9'),
    )
    def test_broken_binary_file_is_named(self, content, message):
        path = self.directory / 'test_batch.bin'
        path.write_bytes(content)
        request = InputRequest(str(self.directory), 'test')
        for look in (input_data.inputs, input_data.check):
            with self.assertRaisesRegex(DataError, f'^{path}: {message}[^\n]*$'):
                look('cifar10', request)

    def test_missing_batch_is_named(self):
        testing.write_binary(self.directory, count=1)
        (self.directory / 'data_batch_3.bin').unlink()
        with self.assertRaisesRegex(DataError, 'data_batch_3.bin: found no such file.* 1 of them'):
            read(self.directory, 'train')
        self.assertEqual(read(self.directory, 'test', validate=True)[1].num_examples, 1)

    def test_nothing_there_and_two_targets(self):
        with self.assertRaisesRegex(DataError, 'no test_batch.bin or test_cifar10.tfrecords'):
            read(self.directory)
        with self.assertRaisesRegex(DataError, '--num_targets=2.*expected 1'):
            read(self.directory, num_targets=2)

    def test_records_of_another_data_set(self):
        path = record_testing.write_singles(str(self.directory), 'test_0')
        with self.assertRaisesRegex(
            DataError, f'{path}: record 0: expected an image of 32x32x3, found 20x20x1'
        ):
            read(path)
        path = record_testing.write_pairs(f'{self.directory}/pairs', 2)
        with self.assertRaisesRegex(
            DataError, 'not records of CIFAR-10: expected height.*; found .*label_1'
        ):
            read(path)

    @parameterized.parameters(
        (dict(label=10), 'label is 10, expected a class from 0 to 9'),
        (dict(label=-1), 'label is -1'),
        (dict(depth=1), 'is 32x32x1, but the first record is 32x32x3'),
        (dict(image_raw=b'123'), 'image_raw has 3 bytes, expected 3072'),
    )
    def test_broken_record_is_named(self, overrides, message):
        images, labels = testing.random_images(3)
        rows = [record(*pair) for pair in zip(images, labels, strict=True)]
        rows[2] = record(images[2], **{'label': labels[2], **overrides})
        path = record_testing.write_records(self.directory / 'records', rows)
        for look in (input_data.inputs, input_data.check):
            with self.assertRaisesRegex(DataError, f'{path}: record 2: {message}'):
                look('cifar10', InputRequest(path, 'test'))

    def test_sound_files_pass_the_check(self):
        testing.write_binary(self.directory, count=2)
        path, _ = cifar10_records.write(str(self.directory), 'train', str(self.directory))
        for source in (str(self.directory), path):
            self.assertIsNone(input_data.check('cifar10', InputRequest(source, 'train')))


if __name__ == '__main__':
    tf.test.main()
