"""Tests of shifts and pairs."""

import numpy as np
from absl.testing import absltest, parameterized

from input_data import draws
from input_data.errors import DataError
from input_data.mnist import augment, testing
from input_data.testing import excess_chi_square

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
        self.assertLess(excess_chi_square(values, cells), 4)

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

    def test_merge_clips_at_255(self):
        first, second = np.meshgrid(np.arange(256), np.arange(256))
        merged = augment.merge(first.astype(np.uint8), second.astype(np.uint8))
        self.assertEqual(merged.dtype, np.uint8)
        np.testing.assert_array_equal(merged, np.minimum(first + second, 255))

    @parameterized.parameters((0, 0), (1, 0), (2, 1), (4, 3))
    def test_singles(self, most, pad):
        images, labels = _digits(7)
        source = augment.Singles(images, labels, shift=most, pad=pad)
        expected = testing.all_shifts(augment.pad_images(images, pad), most)  # [7, shifts, h, w]
        number = expected.shape[1]
        self.assertEqual(
            (source.count, source.height, source.width), (7 * number, 6 + 2 * pad, 5 + 2 * pad)
        )
        features = source.features(np.arange(source.count))
        np.testing.assert_array_equal(
            features['image_raw'], expected.reshape(-1, *expected.shape[2:])
        )
        np.testing.assert_array_equal(features['label'], np.repeat(labels, number))

    def test_a_base_digit_has_one_move_and_each_partner_its_own(self):
        images, labels = _digits(_DRAWS)
        source = augment.Pairs(images, labels, num_pairs=3, shift=2, pad=1)
        self.assertEqual(source.count, 3 * _DRAWS)
        base, partner, moves = source.draw_pairs(np.arange(source.count))
        np.testing.assert_array_equal(base, np.repeat(np.arange(_DRAWS), 3))
        moves = moves.reshape(_DRAWS, 3, 4) + 2  # [bases, pairs, (base, partner) by (row, column)]
        self.assertEqual((moves.min(), moves.max()), (0, 4))
        np.testing.assert_array_equal(moves[:, 1:, :2], moves[:, :2, :2])
        # Both axes of the base, and of each of its three partners.
        drawn = [*moves[:, 0, :2].T, *moves[:, :, 2:].reshape(_DRAWS, 6).T]
        for number, values in enumerate(drawn):
            self.assert_uniform(values, 5)
            self.assert_uniform(values[:-1] * 5 + values[1:], 25)
            for other in drawn[:number]:
                self.assert_uniform(values * 5 + other, 25)
        # A digit that is a partner moves by its own draws, not by those it has as a base.
        as_base = moves[partner, 0, 0] * 5 + moves.reshape(-1, 4)[:, 2]
        self.assert_uniform(as_base, 25)

    def test_partners_are_uniform_and_without_replacement(self):
        """The first two partners of each of 10,000 base digits, and all of them."""
        labels = np.random.RandomState(2).permutation(np.repeat([0, 1, 2], [5, 10, 5]))
        images, _ = _digits(20)
        for label in range(3):
            base = np.flatnonzero(labels == label)[0]
            others = np.flatnonzero(labels != label)
            ranks = []
            for seed in range(_DRAWS // 10):
                source = augment.Pairs(images, labels, num_pairs=99, shift=1, seed=seed)
                drawn_base, partner, _ = source.draw_pairs(np.arange(source.count))
                partners = partner[drawn_base == base]
                self.assertCountEqual(partners, others)
                ranks.append(np.searchsorted(others, partners))
            ranks, count = np.array(ranks), len(others)
            for place in range(count):
                self.assert_uniform(ranks[:, place], count)
            second = ranks[:, 1] - (ranks[:, 1] > ranks[:, 0])  # among those that are left
            self.assert_uniform(second, count - 1)

    def test_partners_of_many_bases_are_uniform(self):
        images, labels = _digits(_DRAWS)
        source = augment.Pairs(images, labels, num_pairs=2, shift=1)
        base, partner, _ = source.draw_pairs(np.arange(source.count))
        self.assertTrue(np.all(labels[base] != labels[partner]))
        for pair in range(2):
            found = partner[pair::2]
            self.assert_uniform(found * 50 // _DRAWS, 50)
            neighbours = (found[:-1] * 10 // _DRAWS) * 10 + found[1:] * 10 // _DRAWS
            self.assert_uniform(neighbours, 100)
        self.assert_uniform((partner[::2] * 10 // _DRAWS) * 10 + partner[1::2] * 10 // _DRAWS, 100)

    @parameterized.parameters((1, [1, 1, 1]), (12, [12, 10, 12]), (2**40, [15, 10, 15]))
    def test_each_base_has_exactly_num_pairs_where_there_are_as_many_partners(self, asked, given):
        images, labels = _digits(20)[0], np.repeat([0, 1, 2], [5, 10, 5])
        source = augment.Pairs(images, labels, num_pairs=asked, shift=1)
        base, partner, _ = source.draw_pairs(np.arange(source.count))
        np.testing.assert_array_equal(np.bincount(base), np.array(given)[labels])
        self.assertLen({*zip(base, partner, strict=True)}, source.count)

    def test_a_pair_depends_only_on_seed_split_digit_and_number(self):
        images, labels = _digits(40)

        def draw(num_pairs: int, **changed):
            options = {'shift': 2, 'seed': 1, 'split': 'test', **changed}
            source = augment.Pairs(images, labels, num_pairs=num_pairs, **options)
            base = np.arange(40)[:, np.newaxis]
            wanted = (base * num_pairs + np.arange(5)).ravel()
            whole = source.draw_pairs(np.arange(source.count))
            for part, all_of_it in zip(source.draw_pairs(wanted[::-1]), whole, strict=True):
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
        key = draws.draw_words(5, 'train order', np.array([0]), draws.PERMUTATION_KEY)
        order = draws.permute(np.arange(source.count), source.count, key)
        base, partner, moves = source.draw_pairs(order)
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
    )
    def test_bad_arguments(self, changed, message):
        images, labels = _digits(4)
        with self.assertRaisesRegex(DataError, message):
            augment.Pairs(images, labels, num_pairs=1, **changed)
        with self.assertRaisesRegex(DataError, message):
            augment.Singles(images, labels, **changed)

    def test_one_label_has_no_partners(self):
        images, labels = _digits(4, classes=1)
        with self.assertRaisesRegex(DataError, '--split=train: all 4 digits have label 0'):
            augment.Pairs(images, labels, num_pairs=1, shift=1)


if __name__ == '__main__':
    absltest.main()
