"""Tests of shifts and pairs."""

import numpy as np
from absl.testing import absltest, parameterized

from input_data.errors import DataError
from input_data.mnist import augment

_DRAWS = 10_000


def _digits(count: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.RandomState(0)
    images = generator.randint(1, 256, (count, 6, 5)).astype(np.uint8)
    return images, generator.randint(0, classes, count).astype(np.uint8)


def _moved(image: np.ndarray, row: int, column: int) -> np.ndarray:
    height, width = image.shape
    result = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y + row < height and 0 <= x + column < width:
                result[y + row, x + column] = image[y, x]
    return result


class ShiftTest(parameterized.TestCase):
    def assert_uniform(self, values: np.ndarray, cells: int):
        """Chi-square test: fails a fair source once in 30,000 times (4 standard deviations).

        The statistic of `cells` cells has mean cells - 1 and variance 2 * (cells - 1). As seeds
        are fixed, a passing test passes always.
        """
        counts = np.bincount(values, minlength=cells)
        self.assertLen(counts, cells)
        expected = len(values) / cells
        statistic = ((counts - expected) ** 2 / expected).sum()
        freedom = cells - 1
        self.assertLess(abs(statistic - freedom), 4 * np.sqrt(2 * freedom) + 4)

    def test_pads_with_zeros_all_around(self):
        images, _ = _digits(3)
        padded = augment.pad_images(images, 2)
        self.assertEqual(padded.shape, (3, 10, 9))
        np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], images)
        self.assertEqual(padded.sum(dtype=int), images.sum(dtype=int))
        np.testing.assert_array_equal(augment.pad_images(images, 0), images)

    def test_shifts_each_image_by_its_own_move(self):
        images, _ = _digits(100)
        generator = np.random.RandomState(1)
        rows, columns = generator.randint(-5, 6, 100), generator.randint(-4, 5, 100)
        expected = [_moved(*each) for each in zip(images, rows, columns, strict=True)]
        np.testing.assert_array_equal(augment.shift_images(images, rows, columns), expected)

    @parameterized.parameters(0, 1, 4)
    def test_all_shifts_go_by_row_then_column(self, most):
        images, _ = _digits(2)
        moves = range(-most, most + 1)
        expected = [[_moved(image, y, x) for y in moves for x in moves] for image in images]
        np.testing.assert_array_equal(augment.all_shifts(images, most), expected)

    def test_merge_clips_at_255(self):
        first, second = np.meshgrid(np.arange(256), np.arange(256))
        merged = augment.merge(first.astype(np.uint8), second.astype(np.uint8))
        self.assertEqual(merged.dtype, np.uint8)
        np.testing.assert_array_equal(merged, np.minimum(first + second, 255))

    @parameterized.parameters(1, 2, 3, 4, 5, 17, 64, 1000, 4097)
    def test_permutes(self, count):
        order = augment.permute(np.arange(count), count, 'key')
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
        reversed_order = augment.permute(np.arange(count)[::-1], count, 'key')
        np.testing.assert_array_equal(reversed_order[::-1], order)

    def test_permutes_more_than_memory_holds(self):
        count = 60_000_000
        order = augment.permute(np.arange(_DRAWS), count, 'key')
        self.assertLen(np.unique(order), _DRAWS)
        self.assertBetween(order.min(), 0, count - 1)
        self.assert_uniform(order * 20 // count, 20)

    def test_permutation_mixes_shards_and_neighbours(self):
        shards = 10
        order = augment.permute(np.arange(_DRAWS), _DRAWS, 'key')
        shard_of = np.arange(_DRAWS) * shards // _DRAWS
        # Every base digit's 100 pairs over 10 files: where they come from and where they go.
        source = order * shards // _DRAWS
        self.assert_uniform(shard_of * shards + source, shards * shards)
        steps = np.abs(np.diff(order))
        # The mean distance of two uniform draws is a third of the range, give or take 0.24 of it.
        self.assertLess(abs(steps.mean() / _DRAWS - 1 / 3), 4 * 0.24 / np.sqrt(_DRAWS))
        self.assertFalse(np.array_equal(order, augment.permute(np.arange(_DRAWS), _DRAWS, 'other')))

    @parameterized.parameters((0, 0), (1, 0), (2, 1), (4, 3))
    def test_singles(self, most, pad):
        images, labels = _digits(7)
        source = augment.Singles(images, labels, shift=most, pad=pad)
        expected = augment.all_shifts(augment.pad_images(images, pad), most)  # [7, shifts, h, w]
        number = expected.shape[1]
        self.assertEqual(
            (source.count, source.height, source.width), (7 * number, 6 + 2 * pad, 5 + 2 * pad)
        )
        features = source.features(np.arange(source.count))
        np.testing.assert_array_equal(
            features['image_raw'], expected.reshape(-1, *expected.shape[2:])
        )
        np.testing.assert_array_equal(features['label'], np.repeat(labels, number))

    def test_moves_are_uniform_and_independent(self):
        images, labels = _digits(100)
        source = augment.Pairs(images, labels, num_pairs=_DRAWS // 100, shift=2, pad=1)
        _, _, moves = source.draw(np.arange(_DRAWS))
        cells = moves.reshape(_DRAWS, 4) + 2
        self.assertEqual((cells.min(), cells.max()), (0, 4))
        for first in range(4):
            self.assert_uniform(cells[:, first], 5)
            for second in range(first):
                self.assert_uniform(cells[:, first] * 5 + cells[:, second], 25)
            self.assert_uniform(cells[:-1, first] * 5 + cells[1:, first], 25)

    def test_partners_are_uniform_over_other_labels(self):
        images, _ = _digits(20)
        labels = np.array([0] * 5 + [1] * 10 + [2] * 5, np.uint8)
        labels = np.random.RandomState(2).permutation(labels)
        source = augment.Pairs(images, labels, num_pairs=_DRAWS, shift=1)
        for base in (np.flatnonzero(labels == label)[0] for label in range(3)):
            drawn_base, partner, _ = source.draw(base * _DRAWS + np.arange(_DRAWS))
            self.assertEqual(set(drawn_base), {base})
            others = np.flatnonzero(labels != labels[base])
            self.assertContainsSubset(set(partner), set(others))
            self.assert_uniform(np.searchsorted(others, partner), len(others))

    def test_a_pair_depends_only_on_seed_split_digit_and_number(self):
        images, labels = _digits(40)

        def draw(num_pairs: int, **changed):
            options = {'shift': 2, 'seed': 1, 'split': 'test', **changed}
            source = augment.Pairs(images, labels, num_pairs=num_pairs, **options)
            base = np.arange(40)[:, np.newaxis]
            wanted = (base * num_pairs + np.arange(5)).ravel()
            whole = source.draw(np.arange(source.count))
            for part, all_of_it in zip(source.draw(wanted[::-1]), whole, strict=True):
                np.testing.assert_array_equal(part[::-1], all_of_it[wanted])
            return np.concatenate([whole[1][wanted], whole[2][wanted].ravel()])

        np.testing.assert_array_equal(draw(5), draw(9))
        for changed in ({'seed': 2}, {'split': 'train'}):
            # Partners agree by chance once in some 36 draws, moves once in 5.
            self.assertLess(np.mean(draw(5) == draw(5, **changed)), 0.3)

    def test_features_of_pairs(self):
        images, labels = _digits(12)
        source = augment.Pairs(images, labels, num_pairs=4, shift=3, pad=1, seed=5)
        features = source.features(np.arange(source.count))
        order = augment.permute(np.arange(source.count), source.count, '5/train/order')
        base, partner, moves = source.draw(order)
        self.assertCountEqual(base, np.repeat(np.arange(12), 4))
        padded = augment.pad_images(images, 1)
        first = [_moved(padded[i], *move[0]) for i, move in zip(base, moves, strict=True)]
        second = [_moved(padded[i], *move[1]) for i, move in zip(partner, moves, strict=True)]
        merged = np.minimum(np.array(first, int) + second, 255)
        np.testing.assert_array_equal(features['image_raw_1'], first)
        np.testing.assert_array_equal(features['image_raw_2'], second)
        np.testing.assert_array_equal(features['merged_raw'], merged)
        np.testing.assert_array_equal(features['label_1'], labels[base])
        np.testing.assert_array_equal(features['label_2'], labels[partner])
        self.assertTrue(np.all(features['label_1'] != features['label_2']))
        later = source.features(np.array([30, 7]))
        np.testing.assert_array_equal(later['merged_raw'], merged[[30, 7]])

    @parameterized.parameters(
        ({'shift': 5}, '--shift=5: .* 0 to 4'),
        ({'shift': -1}, '--shift=-1'),
        ({'shift': 9, 'pad': 2}, '--shift=9: .* 10x9'),
        ({'pad': -1}, '--pad=-1'),
        ({'num_pairs': 0}, '--num_pairs=0'),
    )
    def test_bad_arguments(self, changed, message):
        images, labels = _digits(4)
        options = {'shift': 1, 'pad': 0, 'num_pairs': 1, **changed}
        with self.assertRaisesRegex(DataError, message):
            augment.Pairs(images, labels, **options)
        if 'num_pairs' not in changed:
            del options['num_pairs']
            with self.assertRaisesRegex(DataError, message):
                augment.Singles(images, labels, **options)

    def test_one_label_has_no_partners(self):
        images, labels = _digits(4, classes=1)
        with self.assertRaisesRegex(DataError, '--split=train: all 4 digits have label 0'):
            augment.Pairs(images, labels, num_pairs=1, shift=1)


if __name__ == '__main__':
    absltest.main()
