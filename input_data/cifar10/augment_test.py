"""Distortions: against NumPy, and what is drawn over 10,000 examples."""

import numpy as np
import tensorflow as tf

from input_data.cifar10 import augment, testing
from input_data.testing import excess_chi_square

_DRAWS = 10_000


def distort_one(image: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The release's distortions of one image [32, 32, 3], one after the other."""
    row, column = int(drawn[0] * 9), int(drawn[1] * 9)
    result = image[row : row + 24, column : column + 24].astype(np.float64)
    if drawn[2] < 0.5:
        result = result[:, ::-1]
    result = result + (drawn[3] * 126 - 63)
    for channel in range(3):
        mean = result[..., channel].mean()
        result[..., channel] = mean + (0.2 + 1.6 * drawn[4]) * (result[..., channel] - mean)
    return testing.standardize(result)


def drawn_for(count: int, seed: int = 0) -> np.ndarray:
    return augment.draw_distortions(tf.range(count, dtype=tf.int64), seed).numpy()


def channel_last(count: int) -> np.ndarray:
    images, _ = testing.random_images(count)
    return images.transpose(0, 2, 3, 1)  # [count, 32, 32, 3]


class DistortionsTest(tf.test.TestCase):
    def assert_uniform(self, values: np.ndarray, cells: int):
        self.assertLess(excess_chi_square(values, cells), 4)

    def test_each_distortion_against_numpy(self):
        images = channel_last(200)
        images[0] = 7  # of which neither standardisation nor contrast can make anything
        images[1] = images[1] // 128 + 100  # dull: its deviation is small
        drawn = drawn_for(200, seed=5)
        found = augment.distort(images, tf.constant(drawn))
        expected = np.stack([distort_one(*pair) for pair in zip(images, drawn, strict=True)])
        # Means of pixels up to 318 (255 + 63) are off by a few float32 roundings, which the
        # division by an image's least possible deviation makes larger.
        rounding = 4 * 318 * 2.0**-24
        for rows, deviation in ((0, 1 / np.sqrt(24 * 24 * 3)), (1, 0.1), (slice(2, None), 14)):
            self.assertAllClose(found[rows], expected[rows], rtol=0, atol=rounding / deviation)
        self.assertDTypeEqual(found, np.float32)

    def test_all_of_tensorflows_own_steps_agree(self):
        image = channel_last(1)
        [drawn] = drawn_for(1)
        step = tf.image.crop_to_bounding_box(
            tf.cast(image[0], tf.float32), int(drawn[0] * 9), int(drawn[1] * 9), 24, 24
        )
        step = tf.image.flip_left_right(step) if drawn[2] < 0.5 else step
        step = tf.image.adjust_brightness(step, drawn[3] * 126 - 63)
        step = tf.image.adjust_contrast(step, 0.2 + 1.6 * drawn[4])
        expected = tf.image.per_image_standardization(step)
        found = augment.distort(image, tf.constant(drawn[None]))[0]
        self.assertAllClose(found, expected, rtol=0, atol=1e-5)

    def test_centre_against_numpy(self):
        images = channel_last(20)
        images[0] = 200
        images[1] = images[1] // 128 + 100
        images[2] = 5
        images[2, 10, 10, 1] = 6  # deviates by less than 1 / sqrt(pixels)
        expected = [testing.standardize(image[4:28, 4:28]) for image in images]
        self.assertAllClose(augment.centre(images), expected, rtol=0, atol=1e-5)

    def test_every_place_and_both_sides_occur(self):
        drawn = drawn_for(_DRAWS, seed=1)
        rows, columns = (drawn[:, :2] * 9).astype(int).T
        flips = (drawn[:, 2] < 0.5).astype(int)
        self.assert_uniform(rows * 9 + columns, 81)
        self.assert_uniform(rows[1:] * 9 + rows[:-1], 81)
        self.assert_uniform(columns * 2 + flips, 18)
        self.assert_uniform(flips[1:] * 2 + flips[:-1], 4)

    def test_brightness_and_contrast_are_uniform_and_independent(self):
        drawn = drawn_for(_DRAWS, seed=1)
        self.assertAllInRange(drawn, 0, 1, open_upper_bound=True)
        tenths = (drawn * 10).astype(int)
        for first in range(5):
            self.assert_uniform(tenths[:, first], 10)
            self.assert_uniform(tenths[1:, first] * 10 + tenths[:-1, first], 100)
            for second in range(first):
                self.assert_uniform(tenths[:, first] * 10 + tenths[:, second], 100)

    def test_distorted_images_over_all_draws(self):
        image = channel_last(1)
        image[..., 0] = 0
        image[0, 16, 16, 0] = 255  # inside of every crop
        images = np.repeat(image, _DRAWS, axis=0)
        found = augment.distort(images, tf.constant(drawn_for(_DRAWS, seed=2))).numpy()
        places = found[..., 0].reshape(_DRAWS, -1).argmax(axis=1)
        rows, columns = np.divmod(places, 24)
        self.assertEqual((rows.min(), rows.max()), (8, 16))
        self.assert_uniform(rows - 8, 9)
        # Unmirrored the point is in columns 8 to 16, mirrored in 7 to 15.
        self.assertEqual((columns.min(), columns.max()), (7, 16))
        self.assertAllClose(np.mean(columns), 11.5, rtol=0, atol=4 * 2.63 / np.sqrt(_DRAWS))
        self.assertAllClose(found.mean(axis=(1, 2, 3)), np.zeros(_DRAWS), rtol=0, atol=1e-5)
        self.assertAllClose(found.std(axis=(1, 2, 3)), np.ones(_DRAWS), rtol=1e-4, atol=0)

    def test_draws_of_an_example_do_not_depend_on_its_batch(self):
        whole = drawn_for(12, seed=3)
        for start, end in ((0, 5), (5, 12), (11, 12)):
            part = augment.draw_distortions(tf.range(start, end, dtype=tf.int64), 3)
            self.assertAllEqual(part, whole[start:end])


if __name__ == '__main__':
    tf.test.main()
