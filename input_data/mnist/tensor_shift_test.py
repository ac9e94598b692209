"""Moves in TensorFlow, against NumPy's."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data.mnist import augment, tensor_shift


class TensorShiftTest(tf.test.TestCase, parameterized.TestCase):
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


if __name__ == '__main__':
    tf.test.main()
