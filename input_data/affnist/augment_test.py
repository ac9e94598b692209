"""Transformations: ranges, statistics, rendering against SciPy, and that nothing is lost."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from input_data import draws
from input_data.affnist import augment
from input_data.errors import DataError
from input_data.testing import excess_chi_square

DRAWS = 10_000


def digit_like(count: int, size: int = 28, margin: int = 4) -> np.ndarray:
    """Images with grey values in a box of 20x20 and zeros around."""
    generator = np.random.RandomState(0)
    images = np.zeros((count, size, size), np.uint8)
    images[:, margin : margin + 20, margin : margin + 20] = generator.randint(
        0, 256, (count, 20, 20)
    )
    return images


def dots(count: int) -> np.ndarray:
    images = np.zeros((count, 3, 3), np.uint8)
    images[:, 1, 1] = 255
    return images


def uniforms_of(count: int, seed: int = 0) -> np.ndarray:
    return draws.draw_uniform(seed, 'affnist', np.arange(count), augment.DRAWS).astype(float)


class AffineTest(parameterized.TestCase):
    def test_ranges(self):
        matrix = augment.choose_transformations(uniforms_of(DRAWS), dots(DRAWS), 40).matrix
        # matrix = rotation * shear * scales, so its columns give them back.
        down, right = matrix[:, :, 0], matrix[:, :, 1]
        angle = np.rad2deg(np.arctan2(-right[:, 0], right[:, 1]))
        scale_right = np.hypot(*right.T)
        along = right / scale_right[:, None]
        across = np.stack([along[:, 1], -along[:, 0]], axis=1)
        scale_down = (down * across).sum(axis=1)
        shear = (down * along).sum(axis=1) / scale_down
        for values, low, high in (
            (angle, -20, 20),
            (shear, -0.2, 0.2),
            (scale_down, 0.8, 1.2),
            (scale_right, 0.8, 1.2),
        ):
            place = (values - low) / (high - low)
            self.assertBetween(place.min(), -1e-7, 0.01)
            self.assertBetween(place.max(), 0.99, 1 + 1e-7)
            self.assertLess(excess_chi_square(np.clip(place * 20, 0, 19).astype(int), 20), 4)

    def test_places_are_uniform_over_the_frame(self):
        transformation = augment.choose_transformations(uniforms_of(DRAWS), dots(DRAWS), 40)
        centre = transformation.matrix.sum(axis=2) + transformation.offset  # of the dot
        reach = np.abs(transformation.matrix).sum(axis=2)
        place = (centre - reach + 1) / (41 - 2 * reach)
        self.assertBetween(place.min(), 0, 0.01)
        self.assertBetween(place.max(), 0.99, 1)
        rows, columns = np.clip(place * 10, 0, 9).astype(int).T
        for values, cells in ((rows, 10), (columns, 10), (rows * 10 + columns, 100)):
            self.assertLess(excess_chi_square(values, cells), 4)

    def test_nothing_of_a_digit_is_lost(self):
        images = digit_like(300)
        uniforms = uniforms_of(300, seed=3)
        uniforms[:200, 4:] = np.round(uniforms[:200, 4:])  # at the edges of the frame
        transformation = augment.choose_transformations(uniforms, images, 40)
        framed = augment.apply(transformation, images, 40)
        # The same on a canvas with 20 more pixels on every side.
        wider = transformation._replace(offset=transformation.offset + 20)
        whole = augment.apply(wider, images, 80)
        np.testing.assert_array_equal(whole[:, 20:60, 20:60], framed)
        self.assertEqual(whole.sum(dtype=int), framed.sum(dtype=int))
        # And the edges are reached: one more pixel of room there would be too much.
        edge = framed[:200, 1:-1, 1:-1].max(axis=(1, 2)) > 0
        self.assertTrue(edge.all())
        outer = framed[:200].copy()
        outer[:, 3:-3, 3:-3] = 0
        self.assertTrue((outer.max(axis=(1, 2)) > 0).all())

    @parameterized.parameters((28, 4), (31, 4), (20, 0))
    def test_renders_like_scipy(self, size, margin):
        images = digit_like(50, size, margin)
        transformation = augment.choose_transformations(uniforms_of(50, seed=4), images, 40)
        ours = augment.apply(transformation, images, 40)
        for image, matrix, offset, found in zip(images, *transformation, ours, strict=True):
            inverse = np.linalg.inv(matrix)
            expected = ndimage.affine_transform(
                image.astype(float),
                inverse,
                -inverse @ offset,
                (40, 40),
                order=1,
                mode='grid-constant',
            )
            # Half a grey value of rounding, and a little of single precision.
            self.assertLess(np.abs(found - expected).max(), 0.505)

    def test_identity_moves_only(self):
        images = digit_like(1)
        identity = augment.Affine(np.eye(2)[None], np.array([[3.0, 7.0]]))
        moved = augment.apply(identity, images, 40)
        np.testing.assert_array_equal(moved[0, 3:31, 7:35], images[0])
        self.assertEqual(moved.sum(dtype=int), images.sum(dtype=int))

    def test_blank_image(self):
        blank = np.zeros((1, 28, 28), np.uint8)
        transformation = augment.choose_transformations(np.full((1, 6), 0.5), blank, 40)
        self.assertFalse(augment.apply(transformation, blank, 40).any())

    def test_too_large(self):
        images = np.full((3, 40, 40), 9, np.uint8)
        images[:2] = 0
        with self.assertRaisesRegex(DataError, 'does not fit into 40x40 pixels'):
            augment.choose_transformations(np.full((3, 6), 0.9), images, 40)
        augment.choose_transformations(np.full((2, 6), 0.9), images[:2], 40)


if __name__ == '__main__':
    absltest.main()
