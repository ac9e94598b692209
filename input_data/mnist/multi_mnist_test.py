"""Pairs made on the fly: statistics, newness, and test pairs equal to the written records."""

import contextlib
import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from input_data import Batching, InputRequest, inputs
from input_data.mnist import augment, mnist_shift, multi_mnist, testing
from input_data.mnist.mnist_input_raw import RawDigits
from input_data.testing import excess_chi_square

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

    @parameterized.parameters(('test', False, None), ('valid_test', True, 6))
    def test_test_pairs_are_the_written_records(self, written_split, validate, shift):
        testing.write_raw(self.directory, {'train': 30, 'test': 12})
        flags = f'--shift={shift or 4} --pad=4 --num_pairs=1000 --max_shard=30 --multi_targets=true'
        arguments = [f'--data_dir={self.directory}', f'--split={written_split}', *flags.split()]
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(mnist_shift.run(arguments), 0)
        options = dict(num_targets=2, validate=validate, eval_batch_size=512, eval_size=10**9)
        request = InputRequest(self.directory, 'test', **options)
        made, info = inputs('multi_mnist', dataclasses.replace(request, shift=shift))
        records, records_info = inputs('mnist', request)
        self.assertEqual(info, dataclasses.replace(records_info, note=''))
        # Digits 0 and 1 are there twice, but among the five that are held out.
        self.assertEqual(info.num_examples, {'test': 12 * 11 - 4, 'valid_test': 20}[written_split])
        pairs = zip(made.as_numpy_iterator(), records.as_numpy_iterator(), strict=True)
        for ours, read in pairs:
            self.assertCountEqual(ours, read)
            for name in read:
                self.assertDTypeEqual(ours[name], read[name].dtype)
                self.assertAllEqual(ours[name], read[name])

    def test_default_number_of_test_pairs(self):
        testing.write_raw(self.directory, {'train': 30, 'test': 200})
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
                moved = testing.all_shifts(padded, 4)[0]  # [81, 14, 13]
                self.assertEqual(np.all(moved == found, axis=(1, 2)).sum(), 1)

    def draw_epochs(self, labels, epochs, seed=1, shift=4):
        """Partners [epochs, digits] and moves [epochs, digits, 2, 2] of digits in order."""
        digits = RawDigits(np.zeros((len(labels), 1, 1), np.uint8), labels, int(labels.max()) + 1)
        pairs = augment.Pairs(digits.images, labels, num_pairs=1, shift=shift, pad=shift, seed=seed)
        maker = multi_mnist.PairMaker(digits, pairs, seed)
        positions = tf.range(epochs * len(labels), dtype=tf.int64)
        partner, moves = maker.draw_pairs(positions, positions % len(labels))
        return partner.numpy().reshape(epochs, -1), moves.numpy().reshape(epochs, -1, 2, 2), pairs

    @parameterized.parameters(4, 6)
    def test_moves_are_distributed_as_the_written_ones(self, shift):
        labels = np.arange(DRAWS) % 10
        partner, moves, pairs = self.draw_epochs(labels, epochs=2, shift=shift)
        self.assertAllEqual(moves[:, :, 0], [pairs.base_moves] * 2)
        side = 2 * shift + 1
        drawn = [*(np.concatenate([moves[0, :, 0], *moves[:, :, 1]], axis=1).T + shift)]
        for number, values in enumerate(drawn):
            self.assertLess(excess_chi_square(values, side), 4)
            self.assertLess(excess_chi_square(values[:-1] * side + values[1:], side**2), 4)
            self.assertLess(excess_chi_square(values * 10 + labels[partner[0]], side * 10), 4)
            for others in drawn[:number]:
                self.assertLess(excess_chi_square(values * side + others, side**2), 4)

    def test_partners_are_those_of_the_writer_epoch_after_epoch(self):
        labels = np.random.RandomState(2).permutation(np.repeat([0, 1, 2], [5, 10, 5]))
        partner, _, _ = self.draw_epochs(labels, epochs=40)
        images = np.zeros((20, 9, 9), np.uint8)
        written = augment.Pairs(images, labels, num_pairs=20, shift=4, seed=1)
        base, expected, _ = written.draw_pairs(np.arange(written.count))
        for digit in range(20):
            wanted = expected[base == digit]
            self.assertCountEqual(wanted, np.flatnonzero(labels != labels[digit]))
            self.assertAllEqual(partner[:, digit], np.resize(wanted, 40))

    def test_every_epoch_is_new(self):
        testing.write_raw(self.directory, {'train': 30, 'test': 4}, classes=30)
        features = self.train(steps=10)
        seen = {image.tobytes() for image in features['images']}
        self.assertLen(seen, 60)
        first, second = features['target_labels'].T
        partners = [second[30 * epoch + np.argsort(first[30 * epoch :][:30])] for epoch in range(2)]
        # By chance one digit in 29 has the partner that it had before.
        self.assertLess(np.mean(partners[0] == partners[1]), 0.25)

    @pytest.mark.slow
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
