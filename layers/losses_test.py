"""Losses and hit counts against numbers by hand and TensorFlow's own."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import layers
from layers import losses


class LossesTest(tf.test.TestCase, parameterized.TestCase):
    SCORES = np.array([[0.8, 0.3], [0.95, 0.05]], np.float32)
    LABELS = np.array([[1, 0], [0, 1]], np.float32)

    def test_margin_by_hand(self):
        # Example 1: 0.1^2 + 0.5 * 0.2^2 = 0.03; example 2: 0.85^2 + 0.5 * 0.85^2 = 1.08375.
        self.assertAllClose(
            losses.margin_terms(self.SCORES, self.LABELS), [[0.01, 0.02], [0.36125, 0.7225]]
        )
        self.assertAllClose(losses.margin_paper_loss(self.SCORES, self.LABELS), 1.11375 / 2)
        self.assertAllClose(losses.margin_loss(self.SCORES, self.LABELS), 1.11375 / 2 / 4)

    def test_margin_of_keras_by_hand(self):
        paper, release = layers.MarginLoss('paper'), layers.MarginLoss()
        self.assertAllClose(paper(self.LABELS, self.SCORES), 1.11375 / 2)
        self.assertAllClose(release(self.LABELS, self.SCORES), 1.11375 / 2 / 4)
        weighted = paper(self.LABELS, self.SCORES, sample_weight=np.array([1.0, 0.0]))
        self.assertAllClose(weighted, 0.03 / 2)
        again = layers.MarginLoss.from_config(paper.get_config())
        self.assertEqual(again(self.LABELS, self.SCORES), paper(self.LABELS, self.SCORES))

    @parameterized.parameters(([0, 1],), ([[0], [1]],))
    def test_margin_of_keras_refuses_class_numbers(self, labels):
        with self.assertRaisesRegex(ValueError, r'one-hot labels .*\(2, 2\), got \(2,'):
            layers.MarginLoss()(np.array(labels), self.SCORES)

    def test_margin_of_keras_refuses_another_scale(self):
        with self.assertRaisesRegex(ValueError, "scale must be one of release, paper, got 'x'"):
            layers.MarginLoss('x')

    def test_cross_entropies_equal_tensorflow(self):
        scores = np.random.default_rng(0).normal(scale=3, size=(5, 10)).astype(np.float32)
        labels = np.eye(10, dtype=np.float32)[:5] + np.eye(10, dtype=np.float32)[5:]
        self.assertAllClose(
            losses.softmax_loss(scores, labels),
            tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, scores)),
        )
        self.assertAllClose(
            losses.sigmoid_loss(scores, labels),
            tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels / 2, scores)),
        )

    def test_gradient_of_softmax_by_hand(self):
        # exp(scores) is [1, 2, 5], so softmax is [1, 2, 5] / 8; a mean over one example.
        scores = tf.constant(np.log([[1, 2, 5]]).astype(np.float32))
        one, two = np.float32([[0, 1, 0]]), np.float32([[1, 1, 0]])
        for labels, value, gradient in (
            (one, np.log(4), [[1 / 8, -6 / 8, 5 / 8]]),
            (two, np.log(8) + np.log(4), [[-7 / 8, -6 / 8, 5 / 8]]),  # softmax - labels
        ):
            with tf.GradientTape() as tape:
                tape.watch(scores)
                loss = losses.softmax_loss(scores, labels)
            self.assertAllClose(loss, value)
            self.assertAllClose(tape.gradient(loss, scores), gradient)

    def test_gradient_of_softmax_equals_tensorflow(self):
        generator = np.random.default_rng(0)
        scores = tf.constant(generator.normal(scale=3, size=(5, 10)).astype(np.float32))
        labels = np.eye(10, dtype=np.float32)[:5] + np.eye(10, dtype=np.float32)[5:]
        with tf.GradientTape() as tape:
            tape.watch(scores)
            ours = losses.softmax_loss(scores, labels)
        # The op itself: where operations are to be deterministic, tf.nn's function is put together
        # of others, which have another gradient.
        _, theirs = tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=scores, labels=labels)
        self.assertAllClose(tape.gradient(ours, scores), theirs / 5)

    def test_reconstruction_sums_pixels_and_averages_the_batch(self):
        drawn = np.zeros((2, 2, 3, 3, 1), np.float32)
        wanted = drawn.copy()
        wanted[0, 0] = 1  # nine pixels off by 1 in one example's first target
        wanted[1, 1, 0, 0] = 2  # one pixel off by 2 in the other's second target
        self.assertAllClose(
            losses.reconstruction_loss(drawn, wanted), [0.0005 * 9 / 2, 0.0005 * 4 / 2]
        )

    @parameterized.parameters(
        ([0.1, 0.9, 0.2], [0, 1, 0], 1, 1, 1),
        ([0.1, 0.9, 0.2], [1, 0, 0], 1, 0, 0),
        ([0.5, 0.5, 0.2], [1, 0, 0], 1, 1, 1),  # a tie goes to the lower class
        ([0.5, 0.5, 0.2], [0, 1, 0], 1, 0, 0),
        ([0.8, 0.1, 0.9], [1, 0, 1], 2, 1, 1),
        ([0.8, 0.1, 0.9], [1, 1, 0], 2, 0, 1),
        ([0.8, 0.7, 0.1, 0.2], [0, 0, 1, 1], 2, 0, 0),
    )
    def test_hits(self, scores, labels, num_targets, correct, almost):
        hits = layers.count_hits(
            np.array([scores], np.float32), np.array([labels], np.float32), num_targets
        )
        self.assertAllEqual(hits.correct, [correct])
        self.assertAllEqual(hits.almost, [almost])


if __name__ == '__main__':
    tf.test.main()
