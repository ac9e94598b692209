"""Routing without votes: gradients by hand, and chunk by chunk."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import layers
from layers.fast import routing
from layers.testing import random_layer


class RoutingWithoutVotesTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(iterations=[1, 2, 3], leaky=[False, True])
    def test_both_forms_have_the_same_gradients(self, iterations, leaky):
        self.assert_same_gradients(iterations, leaky)

    def assert_same_gradients(self, iterations, leaky):
        inputs, weights, biases, votes = random_layer()
        inputs, weights, biases = (tf.constant(x) for x in (inputs, weights, biases))
        shift = np.random.default_rng(1).normal(size=(6, 4, 5)).astype(np.float32)

        def gradients(function):
            with tf.GradientTape() as tape:
                tape.watch((inputs, weights, biases))
                loss = tf.reduce_sum(tf.square(function() + shift))
            return tape.gradient(loss, (inputs, weights, biases))

        def with_votes():
            votes = tf.reshape(tf.einsum('bia,iao->bio', inputs, weights), [6, 7, 4, 5])
            return layers.route_votes(votes, biases, iterations, leaky).activation

        expected = gradients(with_votes)
        actual = gradients(
            lambda: layers.route(inputs, weights, biases, iterations, leaky).activation
        )
        for one, other in zip(expected, actual, strict=True):
            self.assertAllClose(one, other, rtol=1e-4, atol=1e-4)

    def test_another_squash_is_a_change_in_one_place(self):
        def squash(preactivation):
            return preactivation / (1 + keras.ops.sum(preactivation**2, axis=-1, keepdims=True))

        plain = layers.Capsule(4, 5)(random_layer()[0])
        with mock.patch.object(layers.routing, 'squash', squash):
            self.assertNotAllClose(layers.Capsule(4, 5)(random_layer()[0]), plain, atol=1e-2)
            self.assert_same_gradients(iterations=3, leaky=False)

    @parameterized.parameters((1152, 96), (3200, 96), (9216, 96), (97, 97), (110, 64), (103, 64))
    def test_chunks_of_whole_cache_lines(self, in_capsules, expected):
        self.assertEqual(routing.choose_chunk((128, in_capsules, 8), 10), expected)

    @parameterized.parameters((1, 7), (2, 4), (3, 3), (4, 2), (7, 1))
    def test_routing_in_chunks_is_the_same(self, chunks, chunk_size):
        inputs, weights, biases, _ = random_layer()
        layer = layers.Capsule(4, 5, leaky=True)
        layer.build(inputs.shape)
        layer.set_weights([weights, biases])

        def outputs_and_gradients():
            with tf.GradientTape() as tape:
                tensor = tf.constant(inputs)
                tape.watch(tensor)
                routed = layer.route(tensor)
                loss = tf.reduce_sum(tf.square(routed.activation + 1))
            return routed, tape.gradient(loss, [tensor, *layer.trainable_variables])

        self.assertEqual(routing.choose_chunk(inputs.shape, 4), 7)
        whole, whole_gradients = outputs_and_gradients()
        column = 4 * 6 * 4 * 3  # bytes: float32, batch, out_capsules, in_atoms
        with mock.patch.object(routing, 'CHUNK_BYTES', column * chunk_size):
            self.assertEqual(-(-7 // routing.choose_chunk(inputs.shape, 4)), chunks)
            routed, gradients = tf.function(outputs_and_gradients)()
        for one, other in zip(whole, routed, strict=True):
            self.assertAllClose(one, other, atol=1e-6)
        for one, other in zip(whole_gradients, gradients, strict=True):
            self.assertAllClose(one, other, rtol=1e-4, atol=1e-5)


if __name__ == '__main__':
    tf.test.main()
