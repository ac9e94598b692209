"""Draws and moves in TensorFlow: against NumPy's, and their statistics."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data.mnist import augment, tensor_shift
from input_data.mnist.testing import excess_chi_square

DRAWS = 10_000


class TensorShiftTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(1, 2, 4, 5, 8)
    def test_words_depend_on_seed_and_position_alone(self, count):
        def words(first, last, seed=7):
            return tensor_shift.random_words(seed, tf.range(first, last, dtype=tf.int64), count)

        whole = words(0, 1000).numpy()
        self.assertEqual(whole.shape, (1000, count))
        self.assertAllEqual(words(0, 1000), whole)
        self.assertAllEqual(words(37, 501), whole[37:501])
        self.assertAllEqual(words(999, 1000), whole[999:])
        self.assertLen(np.unique(whole), whole.size)
        self.assertLess(np.mean(words(0, 1000, seed=8) == whole), 0.01)
        # Beyond 32 bits of counter, where a long training with many words may come.
        self.assertAllEqual(words(2**40 + 5, 2**40 + 9), words(2**40, 2**40 + 9)[5:])
        self.assertLess(np.mean(words(2**40, 2**40 + 1000) == whole), 0.01)

    def test_any_seed(self):
        positions = tf.range(5, dtype=tf.int64)
        for seed in (0, 2**31, 2**63 - 1, -1):
            self.assertAllInRange(tensor_shift.random_words(seed, positions, 3), 0, 2**32 - 1)

    @parameterized.parameters(2, 5, 9, 20)
    def test_integers_are_uniform_and_independent(self, limit):
        positions = tf.range(DRAWS, dtype=tf.int64)
        drawn = tensor_shift.below(tensor_shift.random_words(3, positions, 5), limit).numpy()
        for column in range(5):
            self.assertLess(excess_chi_square(drawn[:, column], limit), 4)
            for other in range(column):
                cells = drawn[:, column] * limit + drawn[:, other]
                self.assertLess(excess_chi_square(cells, limit**2), 4)
            neighbours = drawn[:-1, column] * limit + drawn[1:, column]
            self.assertLess(excess_chi_square(neighbours, limit**2), 4)

    def test_scaling_covers_the_range(self):
        words = tf.constant([0, 2**31 - 1, 2**31, 2**32 - 1], tf.int64)
        self.assertAllEqual(tensor_shift.below(words, 60_000), [0, 29_999, 30_000, 59_999])
        limits = tf.constant([1, 2, 3, 4], tf.int64)
        self.assertAllEqual(tensor_shift.below(words, limits), [0, 0, 1, 3])

    @parameterized.parameters((0, 0), (0, 2), (4, 4), (3, 1), (1, 3), (0, 5))
    def test_moves_like_numpy(self, pad, most):
        generator = np.random.RandomState(1)
        images = generator.randint(1, 256, (20, 7, 6)).astype(np.uint8)
        indices = generator.randint(0, 20, 400)
        moves = generator.randint(-most, most + 1, (400, 2))
        moves[:4] = [[most, most], [most, -most], [-most, most], [-most, -most]]
        padded = augment.pad_images(images[indices], pad)
        source = tensor_shift.PaddedImages(images, pad, most)
        moved = source.take(tf.constant(indices), tf.constant(moves))
        self.assertAllEqual(moved, augment.shift_images(padded, *moves.T))
        self.assertEqual((source.height, source.width), padded.shape[1:])

    def test_merges_like_numpy(self):
        first, second = (each.astype(np.uint8) for each in np.meshgrid(range(256), range(256)))
        merged = tensor_shift.merge(tf.constant(first), tf.constant(second))
        self.assertAllEqual(merged, augment.merge(first, second))


if __name__ == '__main__':
    tf.test.main()
