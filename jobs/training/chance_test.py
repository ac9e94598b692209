"""When a training is said to have learned nothing."""

import types

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import DatasetInfo
from jobs.training.chance import ChanceWatch, accuracy_of_constant
from models import HParams

BATCH = 16
EVEN = [1.6] * 10  # of 16 examples, of ten classes


def watch(accuracy, counts=EVEN, strides=(1,) * 700, first_step=0, num_targets=1):
    """What is told in a run of such strides, each step with this accuracy and these classes."""
    info = DatasetInfo(28, 28, 1, len(counts), num_targets)
    model = types.SimpleNamespace(info=info, hparams=HParams(learning_rate=0.5))
    watched, step, told = ChanceWatch(model, BATCH), first_step, []
    for stride in strides:
        step += stride
        right = accuracy(step) if callable(accuracy) else accuracy
        row = np.array([0.5, 0.4, right * BATCH, 0, *counts, 0.1])
        if line := watched.add(step, stride, stride * row):
            told.append((step, line))
    return told


class ChanceTest(tf.test.TestCase, parameterized.TestCase):
    def test_what_it_tells(self):
        ((step, line),) = watch(0.108)
        self.assertEqual(step, 500)
        self.assertStartsWith(
            line, 'Nothing learned by step 500: accuracy is 10.8%, one answer for all images would '
        )
        self.assertIn('have 10.0%. Look at learning_rate (0.5), the labels, the range of', line)
        self.assertIn('loss_type (margin)', line)
        self.assertEqual(line.count('\n'), 0)

    # 1,600 examples of ten classes: a standard deviation of sqrt(0.1 * 0.9 / 1600) = 0.75 %.
    @parameterized.parameters((0.0, True), (0.122, True), (0.123, False), (0.2, False), (1, False))
    def test_even_classes(self, accuracy, fires):
        self.assertLen(watch(accuracy), int(fires))

    # Three of four examples of one class: 75 +- 3 * 1.08 %.
    @parameterized.parameters((0.25, True), (0.75, True), (0.78, True), (0.79, False))
    def test_a_frequent_class(self, accuracy, fires):
        self.assertLen(watch(accuracy, counts=[2, 12, 2, 0]), int(fires))

    # Both of two: 1 of 45 pairs, 2.2 +- 3 * 0.37 %.
    @parameterized.parameters((0.022, True), (0.033, True), (0.034, False), (0.2, False))
    def test_two_targets(self, accuracy, fires):
        told = watch(accuracy, counts=[3.2] * 10, num_targets=2)
        self.assertLen(told, int(fires))

    def test_two_targets_of_which_some_are_frequent(self):
        # Pairs of which 6 of 10 are (0, 1), 2 are (0, 2), 2 are (1, 2).
        self.assertNear(accuracy_of_constant([0.8, 0.8, 0.4], 2), 0.6, 0.07)
        self.assertEqual(accuracy_of_constant([1, 1, 0], 2), 1)

    def test_the_last_steps_count(self):
        self.assertEmpty(watch(lambda step: 0.1 if step <= 400 else 0.3))
        self.assertLen(watch(lambda step: 0.3 if step <= 400 else 0.1), 1)

    @parameterized.parameters(((100,) * 7,), ((10,) * 70,), ((300,) * 4,), ((1,) * 500,))
    def test_once_in_a_run(self, strides):
        self.assertLen(watch(0.1, strides=strides), 1)

    @parameterized.parameters(
        (0, 499, 0), (300, 300, 1), (499, 300, 0), (500, 300, 0), (9000, 9, 0)
    )
    def test_after_a_resume(self, first_step, steps, times):
        self.assertLen(watch(0.1, strides=(1,) * steps, first_step=first_step), times)


if __name__ == '__main__':
    tf.test.main()
