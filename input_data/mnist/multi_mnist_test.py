"""Pairs made on the fly: statistics, newness, and test pairs equal to the written records."""

import contextlib
import io

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import Batching, InputRequest, inputs
from input_data.mnist import augment, mnist_shift, multi_mnist, testing
from input_data.mnist.mnist_input_raw import RawDigits
from input_data.mnist.testing import excess_chi_square

DRAWS = 10_000


class MultiMnistTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def train(self, steps, batch_size=6, seed=1, validate=False, **batching):
        """The first features of training, one after the other: a dict of arrays."""
        request = InputRequest(
            self.directory,
            'train',
            num_targets=2,
            validate=validate,
            batching=Batching(batch_size, seed=seed, **batching),
        )
        dataset, _ = inputs('multi_mnist', request)
        batches = list(dataset.take(steps).as_numpy_iterator())
        return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}

    @parameterized.parameters(('test', False, 'test'), ('test', True, 'valid_test'))
    def test_test_pairs_are_the_written_records(self, split, validate, written_split):
        testing.write_raw(self.directory)
        flags = '--shift=4 --pad=4 --num_pairs=1000 --max_shard=2000 --multi_targets=true'
        arguments = [f'--data_dir={self.directory}', f'--split={written_split}', *flags.split()]
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(mnist_shift.run(arguments), 0)
        options = dict(num_targets=2, validate=validate, eval_batch_size=512, eval_size=10**9)
        request = InputRequest(self.directory, split, **options)
        made, info = inputs('multi_mnist', request)
        records, records_info = inputs('mnist', request)
        self.assertEqual(info, records_info)
        self.assertEqual(info.num_examples, {'test': 12_000, 'valid_test': 5000}[written_split])
        pairs = zip(made.as_numpy_iterator(), records.as_numpy_iterator(), strict=True)
        for ours, read in pairs:
            self.assertCountEqual(ours, read)
            for name in read:
                self.assertDTypeEqual(ours[name], read[name].dtype)
                self.assertAllEqual(ours[name], read[name])

    def test_default_number_of_test_pairs(self):
        testing.write_raw(self.directory)
        _, info = inputs('multi_mnist', InputRequest(self.directory, 'test', num_targets=2))
        self.assertEqual(info.num_examples, 10_000)

    def test_features_of_training(self):
        images, _ = testing.write_raw(self.directory, {'train': 30, 'test': 4}, classes=30)['train']
        features = self.train(steps=10)  # two epochs
        first, second = features['target_labels'].T
        self.assertTrue(np.all(first != second))
        self.assertAllEqual(features['labels'], np.eye(30)[first] + np.eye(30)[second])
        for epoch in range(2):  # every digit is the base once
            self.assertCountEqual(first[30 * epoch : 30 * (epoch + 1)], range(30))
        targets = np.rint(features['target_images'][..., 0] * 255).astype(np.uint8)
        self.assertAllEqual(targets.astype(np.float32) / 255, features['target_images'][..., 0])
        merged = augment.merge(targets[:, 0], targets[:, 1])
        self.assertAllEqual(merged.astype(np.float32) / 255, features['images'][..., 0])
        for which, digits in enumerate((first, second)):
            for found, digit in zip(targets[:, which], digits, strict=True):
                padded = augment.pad_images(images[digit : digit + 1], 4)
                moved = augment.all_shifts(padded, 4)[0]  # [81, 14, 13]
                self.assertEqual(np.all(moved == found, axis=(1, 2)).sum(), 1)

    def draw(self, labels, base, seed=1, first=0):
        images = np.zeros((len(labels), 1, 1), np.uint8)
        maker = multi_mnist.PairMaker(RawDigits(images, labels, int(labels.max()) + 1), seed)
        positions = tf.range(first, first + len(base), dtype=tf.int64)
        return [each.numpy() for each in maker.draw(positions, tf.constant(base, tf.int64))]

    def test_moves_are_uniform_and_independent(self):
        labels = np.arange(100, dtype=np.uint8) % 10
        base = np.arange(DRAWS) % 100
        partner, moves = self.draw(labels, base)
        drawn = [*(moves.reshape(DRAWS, 4).T + 4)]
        for number, values in enumerate(drawn):
            self.assertLess(excess_chi_square(values, 9), 4)
            self.assertLess(excess_chi_square(values[:-1] * 9 + values[1:], 81), 4)
            self.assertLess(excess_chi_square(values * 10 + labels[partner], 90), 4)
            self.assertLess(excess_chi_square(values * 10 + labels[base], 90), 4)
            for others in drawn[:number]:
                self.assertLess(excess_chi_square(values * 9 + others, 81), 4)

    def test_partners_are_uniform_over_other_labels(self):
        labels = np.array([0] * 5 + [1] * 10 + [2] * 5, np.uint8)
        labels = np.random.RandomState(2).permutation(labels)
        for label in range(3):
            base = np.flatnonzero(labels == label)[0]
            partner, _ = self.draw(labels, np.full(DRAWS, base), first=label * DRAWS)
            others = np.flatnonzero(labels != label)
            self.assertContainsSubset(partner, others)
            rank = np.searchsorted(others, partner)
            self.assertLess(excess_chi_square(rank, len(others)), 4)
            neighbours = rank[:-1] * len(others) + rank[1:]
            self.assertLess(excess_chi_square(neighbours, len(others) ** 2), 4)

    def test_every_epoch_is_new(self):
        testing.write_raw(self.directory, {'train': 30, 'test': 4}, classes=30)
        features = self.train(steps=10)
        seen = {image.tobytes() for image in features['images']}
        self.assertLen(seen, 60)
        first, second = features['target_labels'].T
        partners = [second[30 * epoch + np.argsort(first[30 * epoch :][:30])] for epoch in range(2)]
        # By chance one digit in 29 has the partner that it had before.
        self.assertLess(np.mean(partners[0] == partners[1]), 0.25)

    @parameterized.parameters(False, True)
    def test_a_function_of_seed_and_position(self, validate):
        testing.write_raw(self.directory)
        whole = self.train(steps=20, validate=validate)
        again = self.train(steps=20, validate=validate)
        other = self.train(steps=20, seed=2, validate=validate)
        for name, values in whole.items():
            self.assertAllEqual(again[name], values)
            self.assertNotAllClose(other[name], values)
        images = whole['images']
        for first_step in (1, 5, 17):
            entered = self.train(20 - first_step, first_step=first_step, validate=validate)
            self.assertAllEqual(entered['images'], images[6 * first_step :])
        workers = [
            self.train(20, num_workers=3, worker=worker, validate=validate)['images']
            for worker in range(3)
        ]
        parts = np.stack([part.reshape(20, 2, 14, 13, 1) for part in workers], axis=1)
        self.assertAllEqual(parts.reshape(images.shape), images)
        self.assertAllEqual(self.train(40, replicas=2, validate=validate)['images'], images)
        self.assertAllEqual(self.train(40, batch_size=3, validate=validate)['images'], images)


if __name__ == '__main__':
    tf.test.main()
