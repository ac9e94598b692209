"""Trying another way of routing is a change in one place."""

from unittest import mock

import tensorflow as tf
from keras import ops

import layers
from layers import Routed, squash
from models import HParams, build_model
from models.golden_test import MNIST, golden_features, set_golden_weights


def route_by_first_impression(votes, biases, iterations, leaky):
    """Couples each vote once by how it agrees with the mean vote; no iterations."""
    mean = ops.mean(votes, axis=-3, keepdims=True)  # [batch, 1, out_capsules, atoms]
    logits = ops.sum(votes * mean, axis=-1)  # [batch, in_capsules, out_capsules]
    coupling = layers.coupling_coefficients(logits, leaky)
    preactivation = ops.sum(coupling[..., None] * votes, axis=-3) + biases
    return Routed(squash(preactivation), coupling, None)


def small_model(method):
    model = build_model('capsule', HParams.parse(f'num_prime_capsules=2,{method}'), MNIST)
    set_golden_weights(model, strong=True)
    return model


class OwnRoutingTest(tf.test.TestCase):
    def test_a_routing_of_ones_own_is_trained(self):
        features = golden_features(MNIST)
        with mock.patch.dict(layers.ROUTINGS, {'own': route_by_first_impression}):
            model = small_model('routing_method=own')
            images = features['images']
            self.assertNotAllClose(
                model.route(images).coupling,
                small_model('routing_method=votes').route(images).coupling,
                atol=1e-2,
            )
            before = model.class_capsules.weight.numpy()
            step = tf.function(model.train_step)
            losses = [float(step(features).losses.total) for _ in range(8)]
        self.assertLess(losses[-1], 0.8 * losses[0])
        self.assertNotAllClose(model.class_capsules.weight, before, atol=1e-3)

    def test_votes_run_procedure_1_and_nothing_else(self):
        features = golden_features(MNIST)
        fast = small_model('routing_method=fast')(features, training=False)
        auto = small_model('routing_method=auto')(features, training=False)
        self.assertAllEqual(fast.scores, auto.scores)
        self.assertIs(layers.ROUTINGS['votes'], layers.route_votes)
        model = small_model('routing_method=votes')
        with mock.patch('layers.fast.routing.route', side_effect=AssertionError):
            votes = model(features, training=False)
        self.assertAllClose(votes.scores, fast.scores, rtol=1e-5, atol=1e-6)

    def test_unknown_names_are_refused(self):
        with self.assertRaisesRegex(ValueError, "auto, fast, votes, got 'none'"):
            layers.Capsule(10, 16, method='none')


if __name__ == '__main__':
    tf.test.main()
