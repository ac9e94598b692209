"""What is done to stereo pairs: values against NumPy, and the statistics of what is drawn."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data.norb import augment as treatment

DRAWS = 10_000
PLACES = 48 - treatment.CROP + 1  # of a crop on each axis


@tf.function
def many_draws(seed):
    return treatment.draw(tf.range(DRAWS, dtype=tf.int64), seed)


class NorbTreatmentTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((2, 96, 96), (1, 64, 70), (3, 4, 2))
    def test_halving_is_the_rounded_mean(self, depth, height, width):
        images = np.random.RandomState(0).randint(0, 256, (5, depth, height, width))
        parts = images.reshape(5, depth, height // 2, 2, width // 2, 2)
        expected = np.floor(parts.mean(axis=(3, 5)) + 0.5).transpose(0, 2, 3, 1)
        halved = treatment.halve(tf.constant(images, tf.uint8))
        self.assertDTypeEqual(halved, np.uint8)
        self.assertAllEqual(halved, expected)

    def test_halving_is_bilinear_resizing_but_for_rounding(self):
        images = np.random.RandomState(0).randint(0, 256, (3, 2, 96, 96)).astype(np.uint8)
        resized = tf.image.resize(images.transpose(0, 2, 3, 1), [48, 48])
        self.assertAllEqual(treatment.halve(tf.constant(images)), np.floor(resized + 0.5))

    @parameterized.parameters(0, 255)
    def test_halving_keeps_the_extremes(self, value):
        images = tf.fill([1, 2, 8, 8], tf.constant(value, tf.uint8))
        self.assertAllEqual(treatment.halve(images), np.full((1, 4, 4, 2), value))

    def test_draws_follow_from_seed_and_position(self):
        positions = tf.range(20, dtype=tf.int64)
        draws = treatment.draw(positions, 3).numpy()
        self.assertAllEqual(treatment.draw(positions[::-1], 3), draws[::-1])
        self.assertAllEqual(treatment.draw(positions[7:9], 3), draws[7:9])
        self.assertLen(np.unique(draws), draws.size)
        self.assertEmpty(np.intersect1d(draws, treatment.draw(positions, 4)))
        expected = tf.random.stateless_uniform([4], tf.constant([3, 7], tf.int64))
        self.assertAllEqual(draws[7], expected)

    def test_crops_are_cut_where_the_draws_say(self):
        images = np.random.RandomState(0).randint(0, 256, (PLACES**2, 48, 48, 2)).astype(np.uint8)
        rows, columns = np.divmod(np.arange(PLACES**2), PLACES)
        draws = (np.stack([rows, columns], axis=1) + 0.5) / PLACES
        crops = treatment.random_crops(tf.constant(images), tf.constant(draws, tf.float32))
        expected = [
            image[row : row + 32, column : column + 32]
            for image, row, column in zip(images, rows, columns, strict=True)
        ]
        self.assertAllEqual(crops, expected)

    def test_extreme_draws_stay_inside(self):
        images = tf.constant(np.arange(2 * 40 * 48).reshape(2, 40, 48, 1))
        draws = np.array([[0, np.nextafter(np.float32(1), np.float32(0))]] * 2, np.float32)
        crops = treatment.random_crops(images, tf.constant(draws))
        self.assertAllEqual(crops, images[:, :32, 16:])

    def test_crops_are_uniform_over_all_places(self):
        rows, columns = np.meshgrid(np.arange(48), np.arange(48), indexing='ij')
        image = tf.constant(np.stack([rows, columns], axis=-1)[None], tf.uint8)
        draws = many_draws(0)
        corners = np.concatenate(
            [
                treatment.random_crops(tf.repeat(image, len(part), axis=0), part)[:, 0, 0].numpy()
                for part in tf.split(draws[:, :2], 10)
            ]
        ).astype(int)  # [DRAWS, 2]
        counts = np.bincount(corners[:, 0] * PLACES + corners[:, 1], minlength=PLACES**2)
        self.assertLen(counts, PLACES**2)
        # Chi-square of 289 cells: mean 288, standard deviation 24; within four of them.
        expected = DRAWS / PLACES**2
        self.assertLess(abs(((counts - expected) ** 2 / expected).sum() - 288), 4 * 24)

    def test_central_crop(self):
        images = np.random.RandomState(0).randint(0, 256, (3, 48, 48, 2))
        self.assertAllEqual(treatment.central_crops(tf.constant(images)), images[:, 8:40, 8:40])

    def test_distortion_against_numpy(self):
        generator = np.random.RandomState(0)
        images = generator.uniform(0, 255, (6, 5, 4, 2)).astype(np.float32)
        draws = generator.uniform(size=(6, 2)).astype(np.float32)
        for image, (brightness, contrast), found in zip(
            images, draws, treatment.distort(tf.constant(images), tf.constant(draws)), strict=True
        ):
            expected = image + (2 * brightness - 1) * 63
            mean = expected.mean(axis=(0, 1))
            expected = (expected - mean) * (0.2 + 1.6 * contrast) + mean
            self.assertAllClose(found, expected, rtol=1e-5, atol=1e-4)

    def test_brightness_and_contrast_are_uniform_over_their_ranges(self):
        draws = many_draws(1)
        image = np.array([[90, 110], [110, 90]], np.float32)[None, :, :, None]
        found = treatment.distort(tf.constant(np.repeat(image, DRAWS, axis=0)), draws[:, 2:])
        brightness = found.numpy().mean(axis=(1, 2, 3)) - 100
        contrast = found.numpy().std(axis=(1, 2, 3)) / 10
        for values, lowest, highest in ((brightness, -63, 63), (contrast, 0.2, 1.8)):
            # The least and the most of 10,000 draws lie within a thousandth of the ends, but for
            # one time in 20,000.
            edge = (highest - lowest) / 1000
            self.assertBetween(values.min(), lowest - 1e-3, lowest + edge)
            self.assertBetween(values.max(), highest - edge, highest + 1e-3)
            share = (values - lowest) / (highest - lowest)
            counts, _ = np.histogram(share.clip(0, 1), 20, (0, 1))
            # Chi-square of 20 cells: mean 19, standard deviation 6.2; within four of them.
            self.assertLess(((counts - DRAWS / 20) ** 2 / (DRAWS / 20)).sum(), 19 + 4 * 6.2)
        correlations = np.corrcoef(draws.numpy(), rowvar=False)[np.triu_indices(4, 1)]
        # Of independent draws: 0 with a standard deviation of 0.01.
        self.assertAllInRange(correlations, -0.04, 0.04)

    def test_standardising_takes_a_change_of_brightness_out(self):
        images = np.random.RandomState(0).uniform(0, 255, (4, 32, 32, 2)).astype(np.float32)
        plain, brighter = (
            tf.image.per_image_standardization(
                treatment.distort(tf.constant(images), tf.constant([[draw, 0.5]] * 4))
            )
            for draw in (0.5, 0.9)
        )
        self.assertAllClose(plain, brighter, atol=1e-4)


if __name__ == '__main__':
    tf.test.main()
