"""Digits shifted on the fly: every epoch new, every example a function of seed and position."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import Batching, DataError, InputRequest, inputs
from input_data.mnist import testing
from input_data.testing import excess_chi_square


class ShiftedMnistTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def train(self, steps, batch_size=6, seed=1, validate=False, **batching):
        """The first features of training, one after the other: a dict of arrays."""
        cut = Batching(batch_size, seed=seed, **batching)
        request = InputRequest(self.directory, 'train', batching=cut, validate=validate)
        dataset, _ = inputs('shifted_mnist', request)
        batches = list(dataset.take(steps).as_numpy_iterator())
        return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}

    def test_every_epoch_moves_every_digit_anew(self):
        # Classes tell the digits apart.
        images, _ = testing.write_raw(self.directory, {'train': 30, 'test': 4}, classes=30)['train']
        features = self.train(steps=15)  # three epochs
        for name, dtype in (('images', np.float32), ('target_labels', np.int32)):
            self.assertDTypeEqual(features[name], dtype)
        digit = features['target_labels'][:, 0]
        self.assertAllEqual(features['labels'], np.eye(30)[digit])
        self.assertAllEqual(features['target_images'][:, 0], features['images'])
        moves = self.moves(features, images)
        for epoch in range(3):
            self.assertCountEqual(digit[30 * epoch : 30 * (epoch + 1)], range(30))
        by_digit = [moves[30 * epoch + np.argsort(digit[30 * epoch :][:30])] for epoch in range(3)]
        for first in range(3):
            for second in range(first):
                # By chance one digit in 25 moves as it did before.
                same = np.all(by_digit[first] == by_digit[second], axis=1)
                self.assertLess(np.mean(same), 0.25)

    def moves(self, features, images):
        """Which move [n, 2] each example has gone through, by trying all of them."""
        found = []
        for image, digit in zip(features['images'], features['target_labels'][:, 0], strict=True):
            all_moves = testing.all_shifts(images[digit : digit + 1], 2)[0].astype(np.float32) / 255
            [which] = np.flatnonzero(np.all(all_moves == image[..., 0], axis=(1, 2)))
            found.append(which)
        return np.stack(np.divmod(found, 5), axis=1) - 2

    def test_moves_are_uniform_and_independent_of_each_other_and_of_the_digit(self):
        images, _ = testing.write_raw(self.directory, {'train': 20, 'test': 4}, classes=20)['train']
        features = self.train(steps=100, batch_size=100)
        row, column = (self.moves(features, images) + 2).T
        digit = features['target_labels'][:, 0]
        for values, cells in (
            (row, 5),
            (column, 5),
            (row * 5 + column, 25),
            (digit * 25 + row * 5 + column, 500),
            (row[:-1] * 5 + row[1:], 25),
            (column[:-1] * 5 + column[1:], 25),
            (row[:-20] * 5 + row[20:], 25),  # from one epoch to the next
        ):
            self.assertLess(excess_chi_square(values, cells), 4)

    def test_shift_of_the_request(self):
        images, _ = testing.write_raw(self.directory)['train']
        for shift, moves in ((0, 1), (3, 49)):
            request = InputRequest(self.directory, 'train', batching=Batching(30), shift=shift)
            dataset, _ = inputs('shifted_mnist', request)
            [batch] = dataset.take(1).as_numpy_iterator()
            possible = testing.all_shifts(images, shift).reshape(-1, 6, 5)
            self.assertLen(possible, 30 * moves)
            self.assertContainsSubset(
                {image.tobytes() for image in batch['images']},
                {(image.astype(np.float32) / 255).tobytes() for image in possible},
            )
        with self.assertRaisesRegex(DataError, '--shift=5: out of range; expected 0 to 4 pixels'):
            inputs('shifted_mnist', InputRequest(self.directory, 'train', shift=5))

    @parameterized.parameters(False, True)
    def test_a_function_of_seed_and_position(self, validate):
        testing.write_raw(self.directory, {'train': 30, 'test': 4}, classes=30)
        whole = self.train(steps=20, validate=validate)['images']
        self.assertAllEqual(self.train(steps=20, validate=validate)['images'], whole)
        self.assertNotAllClose(self.train(steps=20, seed=2, validate=validate)['images'], whole)
        for first_step in (1, 5, 17):
            entered = self.train(20 - first_step, first_step=first_step, validate=validate)
            self.assertAllEqual(entered['images'], whole[6 * first_step :])
        workers = [
            self.train(20, num_workers=2, worker=worker, validate=validate)['images']
            for worker in range(2)
        ]
        parts = np.stack([part.reshape(20, 3, 6, 5, 1) for part in workers], axis=1)
        self.assertAllEqual(parts.reshape(whole.shape), whole)
        self.assertAllEqual(self.train(60, replicas=3, validate=validate)['images'], whole)
        self.assertAllEqual(self.train(40, batch_size=3, validate=validate)['images'], whole)

    @parameterized.parameters(
        (False, None, 'test', 12), (False, 7, 'test', 7), (True, None, 'train', 5)
    )
    def test_test_digits_stay_as_they_are(self, validate, eval_size, part, count):
        images, labels = testing.write_raw(self.directory)[part]
        request = InputRequest(
            self.directory, 'test', eval_batch_size=5, eval_size=eval_size, validate=validate
        )
        dataset, info = inputs('shifted_mnist', request)
        batches = list(dataset.as_numpy_iterator())
        self.assertEqual([len(batch['images']) for batch in batches][0], 5)
        self.assertEqual(info.num_examples, count)
        found = np.concatenate([batch['images'] for batch in batches])[..., 0]
        self.assertAllEqual(found, images[:count].astype(np.float32) / 255)
        found = np.concatenate([batch['target_labels'] for batch in batches])[:, 0]
        self.assertAllEqual(found, labels[:count])


if __name__ == '__main__':
    tf.test.main()
