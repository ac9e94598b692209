"""The reader of smallNORB's records: values, splits, and what it refuses."""

import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import Batching, DataError, InputRequest, inputs
from input_data import testing as record_testing
from input_data.norb import augment, norb_convert, testing
from input_data.records import read as record_reading


def halved(pairs):
    """uint8 [n, 2, 96, 96] -> every second pixel, uint8 [n, 48, 48, 2]."""
    return pairs[:, :, ::2, ::2].transpose(0, 2, 3, 1)


def read(data_dir, split='test', steps=10, **overrides):
    """All examples of a test split, or those of some batches of training; and the facts."""
    dataset, info = inputs('norb', InputRequest(str(data_dir), split, **overrides))
    batches = list((dataset.take(steps) if split == 'train' else dataset).as_numpy_iterator())
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}, info


def record(pair, **overrides):
    """One record of a stereo pair [2, height, width]; some features may be set or left out."""
    features = dict(height=pair.shape[1], width=pair.shape[2], depth=2, label=1, meta=[4, 1, 2, 3])
    features = {**features, 'image_raw': pair.tobytes(), **overrides}
    kept = {name: value for name, value in features.items() if value is not None}
    return record_testing.example(**kept)


class NorbInputRecordTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def convert(self):
        """Writes records of 40 training and 10 test examples; returns their raw arrays."""
        toys = {'train': testing.toys([4, 6, 7, 9], views=2), 'test': testing.toys([0, 1], seed=1)}
        for split, arrays in toys.items():
            testing.write_split(self.folder, split, arrays)
        norb_convert.convert(self.folder, self.folder)
        return toys

    def test_test_examples_from_raw_files_to_features(self):
        toys = self.convert()['test']
        whole, info = read(self.folder, eval_batch_size=4)
        self.assertEqual((info.height, info.width, info.depth), (32, 32, 2))
        self.assertEqual((info.num_classes, info.num_targets, info.num_examples), (5, 1, 10))
        self.assertEqual(info.class_names[4], 'cars')
        expected = [testing.standardize(image[8:40, 8:40]) for image in halved(toys['dat'])]
        self.assertAllClose(whole['images'], expected, rtol=1e-4, atol=1e-4)
        self.assertAllEqual(whole['target_images'], whole['images'][:, None])
        self.assertAllEqual(whole['labels'], np.eye(5)[toys['cat']])
        self.assertAllEqual(whole['target_labels'], toys['cat'][:, None])
        dtypes = {key: value.dtype for key, value in whole.items()}
        floats = dict.fromkeys(('images', 'labels', 'target_images'), np.float32)
        self.assertEqual(dtypes, {**floats, 'target_labels': np.int32})

    def test_training_examples_are_treated_as_in_the_release(self):
        toys = self.convert()['train']
        whole, info = read(self.folder, 'train', steps=5, batching=Batching(8, seed=3))
        self.assertEqual(info.num_examples, 40)
        drawn = augment.draw_distortions(tf.range(40, dtype=tf.int64), 3).numpy()
        images = halved(toys['dat'])
        found = []
        for image, draw in zip(whole['images'], drawn, strict=True):
            errors = [np.abs(testing.treat(each, *draw) - image).max() for each in images]
            found.append(np.argmin(errors))
            self.assertLess(min(errors), 1e-3)
        self.assertCountEqual(found, range(40))
        self.assertAllEqual(whole['target_labels'][:, 0], toys['cat'][found])
        self.assertAllEqual(whole['target_images'], whole['images'][:, None])

    @parameterized.parameters(record_reading.MEMORY_LIMIT_BYTES, 0)
    def test_training_follows_from_seed_and_step(self, memory_limit):
        self.convert()
        self.enter_context(mock.patch.object(record_reading, 'MEMORY_LIMIT_BYTES', memory_limit))

        def stream(steps, seed=1, **batching):
            request = Batching(8, seed=seed, **batching)
            return read(self.folder, 'train', steps=steps, batching=request)[0]['images']

        whole = stream(12)
        self.assertAllEqual(stream(12), whole)
        self.assertAllEqual(stream(5, first_step=7), whole[56:])
        self.assertNotAllClose(stream(12, seed=2), whole)
        workers = [stream(12, num_workers=2, worker=worker) for worker in range(2)]
        interleaved = np.stack([part.reshape(12, 4, -1) for part in workers], axis=1)
        self.assertAllEqual(interleaved.reshape(whole.shape), whole)

    @parameterized.parameters(record_reading.MEMORY_LIMIT_BYTES, 0)
    def test_validation_holds_out_the_highest_instance_of_each_category(self, memory_limit):
        self.enter_context(mock.patch.object(record_reading, 'MEMORY_LIMIT_BYTES', memory_limit))
        toys = self.convert()['train']
        training, info = read(self.folder, 'train', steps=1, batching=Batching(30), validate=True)
        self.assertEqual((info.num_examples, info.note), (30, ''))
        held_out, info = read(self.folder, validate=True)
        self.assertEqual(info.num_examples, 10)
        self.assertIn('held out of training', info.note)
        is_held_out = toys['info'][:, 0] == 9
        images = halved(toys['dat'])
        expected = [testing.standardize(image[8:40, 8:40]) for image in images[is_held_out]]
        self.assertAllClose(held_out['images'], expected, rtol=1e-4, atol=1e-4)
        self.assertAllEqual(held_out['target_labels'][:, 0], toys['cat'][is_held_out])
        drawn = augment.draw_distortions(tf.range(30, dtype=tf.int64), 0).numpy()
        for image, draw in zip(training['images'], drawn, strict=True):
            errors = [
                np.abs(testing.treat(each, *draw) - image).max() for each in images[~is_held_out]
            ]
            self.assertLess(min(errors), 1e-3)
        self.assertEqual(read(self.folder, validate=True, eval_size=3)[1].num_examples, 3)

    def test_validation_with_other_highest_instances_and_more_batches(self):
        pairs = np.random.default_rng(0).integers(0, 256, (300, 2, 64, 64)).astype(np.uint8)
        instances = np.arange(300) // 100  # whole batches of records are left out
        labels = np.where(instances == 0, 3, np.arange(300) % 2 * 3)
        rows = [
            record(pair, label=label, meta=[instance, 0, 0, 0])
            for pair, label, instance in zip(pairs, labels, instances, strict=True)
        ]
        path = record_testing.write_records(f'{self.folder}/records', rows)
        self.assertEqual(read(path, validate=True)[1].num_examples, 100)
        _, info = read(path, 'train', steps=1, validate=True)
        self.assertEqual(info.num_examples, 200)

    def test_validation_needs_two_instances(self):
        testing_pair = np.zeros((2, 64, 64), np.uint8)
        rows = [record(testing_pair, meta=[4, view, 0, 0]) for view in range(3)]
        path = record_testing.write_records(f'{self.folder}/records', rows)
        for split in ('train', 'test'):
            with self.assertRaisesRegex(DataError, f'{path}: --validate: .* 4 of category 1'):
                read(path, split, validate=True)

    def test_evaluates_at_most_eval_size(self):
        self.convert()
        whole, _ = read(self.folder)
        part, info = read(self.folder, eval_size=7)
        self.assertEqual(info.num_examples, 7)
        self.assertAllEqual(part['images'], whole['images'][:7])
        self.assertEqual(read(self.folder, eval_size=70)[1].num_examples, 10)

    def test_one_target_only(self):
        self.convert()
        with self.assertRaisesRegex(DataError, '--num_targets=2: .*expected 1'):
            read(self.folder, num_targets=2)

    @parameterized.named_parameters(
        ('label', dict(label=5), 'record 3: label is 5, expected a class from 0 to 4'),
        ('negative', dict(label=-1), 'record 3: label is -1'),
        ('size', dict(height=32), 'record 3: is 32x64x2, but the first record is 64x64x2'),
        ('depth', dict(depth=1), 'record 3: is 64x64x1, but'),
        ('bytes', dict(image_raw=b'123'), 'record 3: image_raw has 3 bytes, expected 8192'),
        ('meta', dict(meta=[1, 2, 3]), 'record 3: meta has 3 numbers, expected 4'),
        ('missing', dict(meta=None), 'record 3: has no feature meta'),
    )
    def test_broken_record_is_named(self, overrides, message):
        rows = [record(np.zeros((2, 64, 64), np.uint8), meta=[i, 0, 0, 0]) for i in range(5)]
        rows[3] = record(np.zeros((2, 64, 64), np.uint8), **overrides)
        path = record_testing.write_records(f'{self.folder}/records', rows)
        for validate in (False, True):
            with self.assertRaisesRegex(DataError, f'{path}: {message}'):
                read(path, validate=validate)

    @parameterized.parameters((1, 64, 64), (2, 62, 64), (2, 64, 65), (2, 28, 28))
    def test_images_of_another_kind_are_refused(self, depth, height, width):
        row = record(np.zeros((depth, height, width), np.uint8), depth=depth)
        path = record_testing.write_records(f'{self.folder}/records', [row])
        with self.assertRaisesRegex(DataError, f'{path}: .*found {height}x{width}x{depth}'):
            read(path)

    def test_foreign_cut_and_missing_files_are_named(self):
        with self.assertRaisesRegex(DataError, 'found no testduo.tfrecords'):
            read(self.folder)
        digits = record_testing.write_singles(self.folder)
        with self.assertRaisesRegex(DataError, f'{digits}: these are not records of smallNORB'):
            read(digits)
        self.convert()
        path = pathlib.Path(self.folder, 'testduo.tfrecords')
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 255
        for bad, message in (
            (bytes(damaged), 'record 5 has a corrupt length'),
            (content[:-7], 'cut short in record 9'),
            (b'', 'is empty'),
        ):
            path.write_bytes(bad)
            with self.assertRaisesRegex(DataError, f'{path}: .*{message}'):
                read(self.folder)


if __name__ == '__main__':
    tf.test.main()
