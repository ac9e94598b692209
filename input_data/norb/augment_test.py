"""What is done to stereo pairs: values against NumPy, and the statistics of what is drawn."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data.norb import augment, testing
from input_data.testing import excess_chi_square

DRAWS = 10_000
PLACES = 48 - augment.CROP + 1  # of a crop on each axis


def drawn_for(count: int, seed: int = 0) -> np.ndarray:
    return augment.draw_distortions(tf.range(count, dtype=tf.int64), seed).numpy()


class AugmentTest(tf.test.TestCase, parameterized.TestCase):
    def test_halving_takes_every_second_pixel(self):
        images = np.random.RandomState(0).randint(0, 256, (3, 96, 70, 2)).astype(np.uint8)
        halved = augment.halve(tf.constant(images))
        self.assertDTypeEqual(halved, np.uint8)
        self.assertAllEqual(halved, images[:, ::2, ::2])

    def test_halving_is_the_resizing_of_tensorflow_1(self):
        images = np.random.RandomState(0).randint(0, 256, (3, 96, 96, 2)).astype(np.uint8)
        resized = tf.compat.v1.image.resize_images(images, [48, 48])
        self.assertAllEqual(augment.halve(tf.constant(images)), resized)

    def test_distortion_step_by_step(self):
        images = np.random.RandomState(0).randint(0, 256, (40, 48, 48, 2)).astype(np.uint8)
        images[0] = 7  # of which neither contrast nor standardisation can make anything
        drawn = drawn_for(40, seed=5)
        expected = [testing.treat(image, *draw) for image, draw in zip(images, drawn, strict=True)]
        found = augment.distort(tf.constant(images), tf.constant(drawn))
        self.assertDTypeEqual(found, np.float32)
        self.assertAllClose(found[0], expected[0], atol=1e-2)  # roundings, divided by 1 / 45
        self.assertAllClose(found[1:], expected[1:], rtol=1e-5, atol=1e-4)

    def test_contrast_is_about_the_means_of_the_whole_image(self):
        # Bright outside of the middle: the means of the crop would be others.
        image = np.full((1, 48, 48, 2), 250, np.uint8)
        image[:, 8:40, 8:40] = np.random.RandomState(0).randint(0, 100, (1, 32, 32, 2))
        image[..., 0] //= 2
        drawn = np.array([[8.5 / PLACES, 8.5 / PLACES, 0.3, 0.1]], np.float32)
        found = augment.distort(tf.constant(image), tf.constant(drawn))
        self.assertAllClose(found[0], testing.treat(image[0], *drawn[0]), rtol=1e-5, atol=1e-4)
        crop = image[0, 8:40, 8:40].astype(float)
        own_means = crop.mean(axis=(0, 1))
        other = testing.standardize((crop - own_means) * (0.2 + 1.6 * drawn[0, 3]) + own_means)
        self.assertGreater(np.abs(found[0] - other).max(), 0.1)

    def test_crops_are_cut_where_the_draws_say(self):
        images = np.random.RandomState(0).randint(0, 256, (PLACES**2, 48, 48, 2)).astype(np.uint8)
        rows, columns = np.divmod(np.arange(PLACES**2), PLACES)
        drawn = np.stack([rows + 0.5, columns + 0.5, 0 * rows + 9, 0 * rows + 9], axis=1) / PLACES
        drawn[:, 3] = 0.5  # as it is
        found = augment.distort(tf.constant(images), tf.constant(drawn, tf.float32))
        expected = [
            testing.standardize(image[row : row + 32, column : column + 32])
            for image, row, column in zip(images, rows, columns, strict=True)
        ]
        self.assertAllClose(found, expected, atol=1e-4)

    def test_extreme_draws_stay_inside(self):
        images = tf.constant(np.random.RandomState(0).randint(0, 256, (2, 48, 48, 2)), tf.uint8)
        below_one = np.nextafter(np.float32(1), np.float32(0))
        found = augment.distort(images, tf.constant([[0, below_one, 0.5, 0.5]] * 2))
        expected = [testing.standardize(image[:32, 16:]) for image in images.numpy()]
        self.assertAllClose(found, expected, atol=1e-4)

    def test_centre(self):
        images = np.random.RandomState(0).randint(0, 256, (3, 48, 48, 2)).astype(np.uint8)
        expected = [testing.standardize(image[8:40, 8:40]) for image in images]
        self.assertAllClose(augment.centre(tf.constant(images)), expected, atol=1e-5)

    def test_draws_are_uniform_and_independent(self):
        drawn = drawn_for(DRAWS, seed=1)
        self.assertAllInRange(drawn, 0, 1, open_upper_bound=True)
        rows, columns = (drawn[:, :2] * PLACES).astype(int).T
        self.assertLess(excess_chi_square(rows * PLACES + columns, PLACES**2), 4)
        tenths = (drawn * 10).astype(int)
        for first in range(4):
            self.assertLess(excess_chi_square(tenths[:, first], 10), 4)
            for second in range(first):
                both = tenths[:, first] * 10 + tenths[:, second]
                self.assertLess(excess_chi_square(both, 100), 4)
        self.assertAllEqual(augment.draw_distortions(tf.range(7, 9, dtype=tf.int64), 1), drawn[7:9])


if __name__ == '__main__':
    tf.test.main()
