"""What figures show, on numbers whose picture is known."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import layers
from input_data import DatasetInfo
from jobs.evaluation.scoring import Evaluation
from jobs.visualization import choose
from models import HParams, build_model

INFO = DatasetInfo(20, 20, 1)


def small_model(**hparams):
    tf.keras.utils.set_random_seed(3)
    return build_model('capsule', HParams(num_prime_capsules=2, **hparams), INFO)


def images(count, seed=0):
    return np.random.default_rng(seed).random((count, 20, 20, 1), np.float32)


def judged(labels, predictions, scores):
    """An evaluation; of scores, or of nothing but their number of classes."""
    scores = np.zeros((len(labels), scores)) if isinstance(scores, int) else scores
    return Evaluation(scores, np.array(predictions), np.array(labels), 0, 0, 0.0)


class CountsTest(parameterized.TestCase):
    def test_confusion_of_single_targets(self):
        one = judged([[0], [1], [1], [2]], [[0], [2], [1], [2]], 3)
        counts = choose.confusion_matrix(one)
        np.testing.assert_array_equal(counts, [[1, 0, 0], [0, 1, 1], [0, 0, 1]])

    def test_confusion_of_two_targets(self):
        one = judged([[0, 1], [0, 1], [0, 1]], [[1, 0], [3, 0], [2, 3]], 4)
        counts = choose.confusion_matrix(one)
        np.testing.assert_array_equal(
            counts, [[2, 0, 0.5, 0.5], [0, 1, 0.5, 1.5], [0, 0, 0, 0], [0, 0, 0, 0]]
        )

    def test_order_of_two_predictions_is_no_mistake(self):
        wrong = choose.is_wrong(judged([[0, 1], [0, 1]], [[1, 0], [1, 2]], 3))
        np.testing.assert_array_equal(wrong, [False, True])

    def test_most_confident_mistakes_come_first(self):
        scores = np.array(
            [[0.2, 0.9, 0.1], [0.9, 0.3, 0.1], [0.1, 0.4, 0.95], [0.5, 0.4, 0.1]], np.float32
        )
        four = judged([[0], [0], [0], [1]], [[1], [0], [2], [0]], scores)
        chosen = choose.most_confident_mistakes(four, 2)
        np.testing.assert_array_equal(chosen, [2, 0])
        every = choose.most_confident_mistakes(four, 10)
        np.testing.assert_array_equal(every, [2, 0, 3])
        missed, invented = choose.confused_scores(four)
        np.testing.assert_allclose(missed[every], [0.1, 0.2, 0.4])
        np.testing.assert_allclose(invented[every], [0.95, 0.9, 0.5])

    def test_two_targets_are_ranked_by_what_was_confused(self):
        scores = np.array([[0.9, 0.1, 0.5, 0], [0.9, 0.2, 0.8, 0]], np.float32)
        pairs = judged([[0, 1], [1, 0]], [[0, 2], [0, 2]], scores)
        chosen = choose.most_confident_mistakes(pairs, 2)
        np.testing.assert_array_equal(chosen, [1, 0])

    def test_neither_label_nor_prediction(self):
        scores = np.array([[0.9, 0.8, 0.3, 0.2], [0.9, 0.8, 0.1, 0.2]])
        other = choose.neither_class(judged([[0], [1]], [[1], [0]], scores))
        np.testing.assert_array_equal(other, [2, 3])

    def test_predictions_follow_their_labels(self):
        labels = np.array([[3, 5], [3, 5], [3, 5], [3, 5]])
        predictions = np.array([[5, 3], [7, 3], [3, 7], [8, 7]])
        ordered = choose.in_label_order(predictions, labels)
        np.testing.assert_array_equal(ordered, [[3, 5], [3, 7], [3, 7], [8, 7]])

    def test_an_example_of_each_class_that_was_found(self):
        four = judged([[2], [0], [2], [1]], [[0], [0], [2], [2]], 4)
        self.assertEqual(choose.examples_of_classes(four), {0: 1, 2: 2})


class ModelTest(tf.test.TestCase):
    def test_gathers_across_batches_in_the_order_asked_for(self):
        labels = np.arange(7, dtype=np.int32)[:, None]
        features = {'images': images(7), 'target_labels': labels}
        batches = tf.data.Dataset.from_tensor_slices(features).batch(3)
        gathered = choose.gather_examples(batches, np.array([6, 0, 4, 0]))
        self.assertAllEqual(gathered['target_labels'][:, 0], [6, 0, 4, 0])
        self.assertAllEqual(gathered['images'], features['images'][[6, 0, 4, 0]])

    def test_middle_of_a_perturbation_is_the_plain_reconstruction(self):
        model = small_model()
        capsules = model.route(tf.constant(images(1))).activation.numpy()
        strips = choose.decode_perturbations(model, capsules[0], 4)
        self.assertEqual(strips.shape, (16, 11, 20, 20, 1))
        plain = choose.decode_capsules(model, capsules, np.array([[4]]))[0, 0]
        for row in strips:
            self.assertAllClose(row[5], plain, rtol=0, atol=1e-6)
        changed = capsules.copy()
        changed[0, 4, 2] -= 0.25
        expected = choose.decode_capsules(model, changed, np.array([[4]]))[0, 0]
        self.assertAllClose(strips[2, 0], expected, rtol=0, atol=1e-6)
        self.assertGreater(np.abs(strips[2, 0] - plain).max(), 1e-3)

    def test_masking_keeps_one_capsule(self):
        model = small_model()
        capsules = model.route(tf.constant(images(2))).activation.numpy()
        drawn = choose.decode_capsules(model, capsules, np.array([[1, 7], [7, 1]]))
        alone = np.zeros_like(capsules)
        alone[:, 7] = capsules[:, 7]
        expected = model.decoder(tf.constant(alone)).numpy()
        self.assertAllClose(drawn[0, 1], expected[0], atol=1e-6)
        self.assertAllClose(drawn[1, 0], expected[1], atol=1e-6)

    def test_logit_changes_are_those_of_routing_by_votes(self):
        for leaky in (False, True):
            model = small_model(leaky=leaky)
            batch = images(3)
            changes = choose.measure_logit_changes(model, batch, 4)
            inputs = model.primary(tf.constant(batch))
            weights = tf.convert_to_tensor(model.class_capsules.weight.value)
            weights = tf.reshape(weights, [*weights.shape[:2], 10, 16])
            votes = tf.einsum('bia,iaco->bico', inputs, weights)
            biases = tf.convert_to_tensor(model.class_capsules.bias.value)
            for number in range(4):
                before, after = (
                    layers.route_votes(votes, biases, number + more, leaky).routing_logits
                    for more in (1, 2)
                )
                expected = float(tf.reduce_mean(tf.abs(after - before)))
                self.assertAllClose(changes[number], expected, rtol=1e-3)


if __name__ == '__main__':
    tf.test.main()
