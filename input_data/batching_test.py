"""The line of training examples: an even shuffle, whatever the examples are taken from."""

import numpy as np

from input_data import batching
from input_data.batching import Batching, Examples

EXPANDED_MNIST = 60_000 * 25  # all shifts of a digit stand side by side
SHIFTS = 25
FURTHEST = 100_000


def epoch(num_examples: int, seed: int = 1, number: int = 0) -> np.ndarray:
    """Which example stands at each position of an epoch."""
    part = num_examples // 100
    examples = Examples(num_examples, lambda numbers: {'number': numbers})
    line = examples.training(Batching(part, seed=seed, first_step=100 * number))
    batches = line.take(100).as_numpy_iterator()
    return np.concatenate([batch.raw['number'] for batch in batches])


def test_neighbours_are_uncorrelated_at_every_distance():
    line = epoch(EXPANDED_MNIST)
    np.testing.assert_array_equal(np.sort(line), np.arange(EXPANDED_MNIST))
    values = (line - line.mean()) / line.std()
    spectrum = np.fft.rfft(values, 2 * len(values))
    products = np.fft.irfft(np.abs(spectrum) ** 2)[1 : FURTHEST + 1]
    # Of independent neighbours the sum of n products has a standard deviation of sqrt(n).
    deviations = products / np.sqrt(len(values) - np.arange(1, FURTHEST + 1))
    # The largest of 100,000 is beyond 6 once in 5,000 times.
    assert np.abs(deviations).max() < 6
    assert abs(np.sqrt((deviations**2).mean()) - 1) < 0.02


def test_shifts_of_one_digit_do_not_meet():
    line = epoch(EXPANDED_MNIST) // SHIFTS
    expected = SHIFTS - 1  # pairs of one digit at any one distance: n * 24 / (n - 1)
    for distance in (1, 2, 3, 5, 8, 128, 1000):
        met = (line[distance:] == line[:-distance]).sum()
        assert abs(met - expected) < 6 * np.sqrt(expected)


def test_epochs_and_seeds_differ():
    lines = [epoch(5000), epoch(5000, number=1), epoch(5000, seed=2)]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(lines[first], lines[second])[0, 1]) < 6 / np.sqrt(5000)


def test_selected_examples():
    held = batching.hold({'square': np.arange(10) ** 2})
    selected = held.select(np.array([7, 1, 3]))
    assert selected.num_examples == 3
    [batch] = selected.in_order(5, 10).as_numpy_iterator()
    assert batch.raw['square'].tolist() == [49, 1, 9]
    line = selected.training(Batching(3)).take(2)
    assert all(sorted(batch.raw['square'].numpy()) == [1, 9, 49] for batch in line)
