"""Pictures of images whose pixels are known."""

import numpy as np
from absl.testing import parameterized

from jobs.visualization import images as figure_images


class FigureImagesTest(parameterized.TestCase):
    def test_gray_in_range_stays_as_it_is(self):
        image = np.linspace(0.2, 0.6, 12).reshape(1, 3, 4, 1)
        shown = figure_images.displayable(image)
        self.assertEqual(shown.shape, (1, 3, 4, 3))
        for channel in range(3):
            np.testing.assert_allclose(shown[..., channel], image[..., 0], rtol=1e-6)

    def test_standardised_images_are_stretched_one_by_one(self):
        images = np.stack([np.full((2, 2, 3), -1.0), np.full((2, 2, 3), 5.0)])
        images[0, 0, 0, 0], images[1, 1, 1, 2] = 3, -3
        shown = figure_images.displayable(images)
        self.assertEqual((shown.min(), shown.max()), (0, 1))
        np.testing.assert_array_equal(shown[0, 0, 0], [1, 0, 0])
        np.testing.assert_array_equal(shown[1, 1, 1], [1, 1, 0])

    def test_a_constant_standardised_image_is_black(self):
        np.testing.assert_array_equal(figure_images.displayable(np.full((2, 2, 1), -4.0)), 0)

    def test_stereo_pairs_stand_side_by_side(self):
        pair = np.zeros((2, 3, 2))
        pair[..., 1] = 1
        shown = figure_images.displayable(pair)
        self.assertEqual(shown.shape, (2, 6, 3))
        np.testing.assert_array_equal(shown[:, :3], 0)
        np.testing.assert_array_equal(shown[:, 3:], 1)

    def test_many_channels_become_their_mean(self):
        shown = figure_images.displayable(np.array([0.0, 0.2, 0.4, 0.6]).reshape(1, 1, 4))
        np.testing.assert_allclose(shown[0, 0], [0.3, 0.3, 0.3], rtol=1e-6)

    def test_two_targets_in_blue_and_orange(self):
        pictures = np.zeros((2, 1, 3, 3))
        pictures[0, 0, 0], pictures[1, 0, 1], pictures[:, 0, 2] = 1, 1, 1
        first, second, both = figure_images.overlay(pictures)[0]
        np.testing.assert_allclose(first, figure_images.FIRST_COLOUR)
        np.testing.assert_allclose(second, figure_images.SECOND_COLOUR)
        self.assertGreater(both.min(), 0.6)

    def test_one_target_stays_as_it_is(self):
        pictures = np.random.default_rng(0).random((4, 1, 2, 2, 3))
        np.testing.assert_array_equal(figure_images.overlay(pictures), pictures[:, 0])

    def test_montage_puts_every_tile_in_its_place(self):
        tiles = np.arange(6).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 2, 4, 3)) / 10
        table = figure_images.montage(tiles)
        self.assertEqual(table.shape, (5, 14, 3))
        np.testing.assert_allclose(table[3:, 5:9], 0.4, rtol=1e-6)
        np.testing.assert_array_equal(table[2], 0.5)
        np.testing.assert_array_equal(table[:, 4], 0.5)
