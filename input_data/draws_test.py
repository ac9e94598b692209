"""Draws: published vectors, NumPy's form against TensorFlow's, statistics."""

import hashlib
import itertools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import draws
from input_data.testing import excess_chi_square

DRAWS = 10_000


def reference_words(counter: int, key: int) -> list[int]:
    """Philox4x32-10 of one counter, in whole numbers, from its definition."""
    first, second, third, fourth = (counter >> 32 * place & 0xFFFFFFFF for place in range(4))
    left, right = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        low, high = 0xD2511F53 * first, 0xCD9E8D57 * third
        first, second = high >> 32 ^ second ^ left, high & 0xFFFFFFFF
        third, fourth = low >> 32 ^ fourth ^ right, low & 0xFFFFFFFF
        left, right = (left + 0x9E3779B9) % 2**32, (right + 0xBB67AE85) % 2**32
    return [first, second, third, fourth]


def keys_of(count: int, name: str = 'key') -> np.ndarray:
    return draws.draw_words(5, name, np.arange(count), draws.PERMUTATION_KEY)


class WordsTest(tf.test.TestCase, parameterized.TestCase):
    # Known answers published with Philox (Random123): counter, key, four words.
    @parameterized.parameters(
        (0, 0, '6627e8d5 e169c58d bc57ac4c 9b00dbd8'),
        (2**128 - 1, 2**64 - 1, '408f276d 41c83b0e a20bc7c6 6d5451fd'),
        (
            0x03707344_13198A2E_85A308D3_243F6A88,
            0x299F31D0_A4093822,
            'd16cfe09 94fdcceb 5001e420 24126ea1',
        ),
    )
    def test_published_vectors(self, counter, key, words):
        low = np.array([counter % 2**64], np.uint64)
        found = draws.philox(low, counter >> 64, key)
        self.assertEqual(' '.join(f'{word:08x}' for word in found[0]), words)
        self.assertEqual(' '.join(f'{word:08x}' for word in reference_words(counter, key)), words)

    def test_numbers_never_change(self):
        """So that files made today can be made again."""
        name = int.from_bytes(hashlib.sha256(b'name').digest()[:8], 'little') << 64
        expected = [
            (reference_words(name + 2 * at, 9) + reference_words(name + 2 * at + 1, 9))[:6]
            for at in (3, 2**40)
        ]
        self.assertAllEqual(draws.draw_words(9, 'name', np.array([3, 2**40]), 6), expected)
        self.assertAllEqual(
            draws.permute(np.arange(5), 5, np.arange(1, 9)[None] * 123_456_789), [3, 0, 1, 2, 4]
        )

    @parameterized.product(
        seed=(0, 7, 2**31, 2**63 - 1, -1), count=(1, 4, 5, 8), first=(0, 3, 2**31 - 2, 2**40)
    )
    def test_tensorflow_draws_what_numpy_draws(self, seed, count, first):
        positions = first + np.arange(6)
        words = draws.draw_words(seed, 'name', positions, count)
        self.assertEqual((words.shape, words.dtype), ((6, count), np.int64))
        tensor = draws.tensor_words(seed, 'name', tf.constant(positions), count)
        self.assertDTypeEqual(tensor, np.int64)
        self.assertAllEqual(tensor, words)
        uniform = draws.draw_uniform(seed, 'name', positions, count)
        self.assertAllEqual(uniform, (words // 256 / 2**24).astype(np.float32))
        tensor = draws.tensor_uniform(seed, 'name', tf.constant(positions), count)
        self.assertDTypeEqual(tensor, uniform.dtype)
        self.assertAllEqual(tensor, uniform)

    def test_words_depend_on_seed_name_and_position_alone(self):
        positions = np.arange(1000)
        whole = draws.draw_words(7, 'name', positions, 5)
        self.assertAllEqual(draws.draw_words(7, 'name', positions[::-1], 5), whole[::-1])
        self.assertAllEqual(draws.draw_words(7, 'name', positions[37:501], 5), whole[37:501])
        self.assertLen(np.unique(whole), whole.size)
        for seed, name in ((8, 'name'), (7, 'other')):
            self.assertLess(np.mean(draws.draw_words(seed, name, positions, 5) == whole), 0.01)

    @parameterized.parameters(2, 5, 9, 20)
    def test_integers_are_uniform_and_independent(self, limit):
        drawn = draws.scale(draws.draw_words(3, 'name', np.arange(DRAWS), 5), limit)
        for column in range(5):
            self.assertLess(excess_chi_square(drawn[:, column], limit), 4)
            neighbours = drawn[:-1, column] * limit + drawn[1:, column]
            self.assertLess(excess_chi_square(neighbours, limit**2), 4)
            for other in range(column):
                cells = drawn[:, column] * limit + drawn[:, other]
                self.assertLess(excess_chi_square(cells, limit**2), 4)

    def test_scaling_covers_the_range(self):
        words = np.array([0, 2**31 - 1, 2**31, 2**32 - 1])
        for form in (np.array, tf.constant):
            self.assertAllEqual(draws.scale(form(words), 60_000), [0, 29_999, 30_000, 59_999])
            limits = form(np.array([1, 2, 3, 4]))
            self.assertAllEqual(draws.scale(form(words), limits), [0, 0, 1, 3])


class PermuteTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(1, 2, 3, 4, 5, 17, 64, 1000, 4097)
    def test_permutes(self, count):
        [key] = keys_of(1)
        order = draws.permute(np.arange(count), count, key[None])
        self.assertAllEqual(np.sort(order), np.arange(count))
        backwards = draws.permute(np.arange(count)[::-1], count, key[None])
        self.assertAllEqual(backwards[::-1], order)

    def test_tensorflow_permutes_as_numpy_does(self):
        counts = np.repeat([1, 2, 3, 10, 99, 54_000, 60_000_000], 50)
        positions = np.arange(len(counts)) * 7919 % counts
        keys = keys_of(len(counts))
        expected = draws.permute(positions, counts, keys)
        self.assertAllInRange(expected, 0, counts.max() - 1)
        permute = tf.function(draws.tensor_permute)
        found = permute(*map(tf.constant, (positions, counts, keys)))
        self.assertDTypeEqual(found, np.int64)
        self.assertAllEqual(found, expected)

    @parameterized.parameters(2, 3, 5, 9, 15, 16, 17)
    def test_every_key_permutes_otherwise(self, count):
        """Of many keys: each position goes anywhere, and any two go to any two."""
        keys = np.repeat(keys_of(DRAWS), count, axis=0)
        positions = np.tile(np.arange(count), DRAWS)
        orders = draws.permute(positions, count, keys).reshape(DRAWS, count)
        self.assertAllEqual(np.sort(orders), np.tile(np.arange(count), (DRAWS, 1)))
        pairs = list(itertools.permutations(range(count), 2))
        number = {first * count + second: place for place, (first, second) in enumerate(pairs)}
        for first, second in ((0, 1), (0, count - 1), (count // 2, 0)):
            self.assertLess(excess_chi_square(orders[:, first], count), 4)
            found = orders[:, first] * count + orders[:, second]
            ranks = np.array([number[each] for each in found])
            self.assertLess(excess_chi_square(ranks, len(pairs)), 4)

    def test_permutes_more_than_memory_holds(self):
        count = 60_000_000
        order = draws.permute(np.arange(DRAWS), count, keys_of(1))
        self.assertLen(np.unique(order), DRAWS)
        self.assertBetween(order.min(), 0, count - 1)
        self.assertLess(excess_chi_square(order * 20 // count, 20), 4)

    @parameterized.parameters(DRAWS, 10_007, 60_000_000)
    def test_mixes_shards_and_neighbours(self, count):
        order = draws.permute(np.arange(DRAWS), count, keys_of(1))
        # Ten stretches of the one and of the other, as files are.
        cells = np.arange(DRAWS) * 10 // DRAWS * 10 + order * 10 // count
        self.assertLess(excess_chi_square(cells, 100), 4)
        for distance in (1, 2, 3, 10, 100):
            steps = np.abs(order[distance:] - order[:-distance]) / count
            # The mean distance of two uniform draws is a third of the range, give or take 0.24.
            self.assertLess(abs(steps.mean() - 1 / 3), 4 * 0.24 / np.sqrt(len(steps)))
        self.assertNotAllEqual(order, draws.permute(np.arange(DRAWS), count, keys_of(1, 'other')))


if __name__ == '__main__':
    tf.test.main()
