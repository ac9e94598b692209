"""Tests of layers/; `python layers_test.py` checks that an installation works."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import layers
from layers import routing
from layers.testing import random_layer, reference_routing, reference_squash


class SquashTest(tf.test.TestCase, parameterized.TestCase):
    def test_keeps_direction_and_bounds_length(self):
        vectors = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
        vectors *= np.logspace(-6, 3, 100, dtype=np.float32)[:, None]
        squashed = layers.squash(vectors).numpy()
        lengths = np.linalg.norm(squashed, axis=-1)
        self.assertAllInRange(lengths, 0, 1, open_upper_bound=True)
        self.assertAllClose(
            squashed / lengths[:, None],
            vectors / np.linalg.norm(vectors, axis=-1, keepdims=True),
            rtol=1e-5,
            atol=1e-6,
        )
        self.assertAllClose(squashed, reference_squash(vectors.astype(np.float64)), rtol=1e-5)

    def test_is_finite_at_zero_with_its_gradient(self):
        zero = tf.zeros([2, 8])
        with tf.GradientTape() as tape:
            tape.watch(zero)
            squashed = layers.squash(zero)
        self.assertAllEqual(squashed, zero)
        self.assertAllEqual(tape.gradient(squashed, zero), zero)

    def test_worked_number(self):
        # |s| = 5: 25/26 of the unit vector (3, 4) / 5.
        self.assertAllClose(layers.squash(tf.constant([3.0, 4.0])), [15 / 26, 20 / 26])

    def test_axis(self):
        vectors = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)
        moved = layers.squash(np.moveaxis(vectors, -1, 1), axis=1)
        self.assertAllClose(np.moveaxis(moved, 1, -1), layers.squash(vectors))


class CouplingTest(tf.test.TestCase, parameterized.TestCase):
    def test_sums_to_one_over_output_capsules(self):
        logits = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
        coupling = layers.coupling_coefficients(logits).numpy()
        self.assertAllClose(coupling.sum(axis=-1), np.ones((2, 6)))
        self.assertGreater(np.abs(coupling.sum(axis=1) - 1).max(), 0.1)

    def test_leaky_sums_to_less(self):
        logits = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
        coupling = layers.coupling_coefficients(logits, leaky=True).numpy()
        self.assertAllLess(coupling.sum(axis=-1), 1)
        with_zero = np.concatenate([np.zeros((2, 6, 1), np.float32), logits], axis=-1)
        self.assertAllClose(coupling, layers.coupling_coefficients(with_zero)[..., 1:])

    def test_leaky_stays_finite_for_large_logits(self):
        logits = np.array([[[1000.0, -1000.0]], [[-1000.0, -2000.0]]], np.float32)
        coupling = layers.coupling_coefficients(logits, leaky=True)
        self.assertAllClose(coupling, [[[1, 0]], [[0, 0]]])

    @parameterized.parameters((False, 0.1), (True, 1 / 11))
    def test_uniform(self, leaky, share):
        coupling = layers.coupling_coefficients(np.zeros((1, 1, 10), np.float32), leaky)
        self.assertAllClose(coupling, np.full((1, 1, 10), share))
        self.assertAlmostEqual(routing.uniform_coupling(10, leaky), share)


class RoutingTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.product(iterations=[1, 2, 3, 5], leaky=[False, True])
    def test_both_forms_equal_the_reference(self, iterations, leaky):
        inputs, weights, biases, votes = random_layer()
        activations, couplings = reference_routing(votes, biases, iterations, leaky)
        plain = layers.route_votes(votes.astype(np.float32), biases, iterations, leaky)
        without_votes = layers.route(inputs, weights, biases, iterations, leaky)
        for routed in (plain, without_votes):
            self.assertAllClose(routed.activation, activations, rtol=1e-4, atol=1e-5)
            self.assertAllClose(routed.coupling, couplings, rtol=1e-4, atol=1e-5)
        self.assertAllClose(plain.routing_logits, without_votes.routing_logits, atol=1e-4)

    def test_gradients_flow_through_all_iterations(self):
        # A gradient that stopped at the couplings would be that of fixed couplings.
        _, _, biases, votes = random_layer()
        votes = tf.constant(votes, tf.float32)
        coupling = layers.route_votes(votes, biases, 3).coupling

        def gradient(function):
            with tf.GradientTape() as tape:
                tape.watch(votes)
                loss = tf.reduce_sum(function()[:, 0])
            return tape.gradient(loss, votes).numpy()

        whole = gradient(lambda: layers.route_votes(votes, biases, 3).activation)
        stopped = gradient(
            lambda: layers.squash(tf.reduce_sum(coupling[..., None] * votes, axis=1) + biases)
        )
        self.assertGreater(np.abs(whole - stopped).max(), 0.1 * np.abs(whole).max())

    def test_permuting_output_capsules_permutes_outputs(self):
        inputs, weights, biases, _ = random_layer()
        order = [2, 0, 3, 1]
        plain = layers.route(inputs, weights, biases, 3).activation.numpy()
        permuted = weights.reshape(7, 3, 4, 5)[:, :, order].reshape(7, 3, 20)
        self.assertAllClose(
            layers.route(inputs, permuted, biases[order], 3).activation, plain[:, order], atol=1e-6
        )
        self.assertGreater(np.abs(plain - plain[:, order]).max(), 0.1)

    @parameterized.parameters(0, -1, 1.0, True, None)
    def test_rejects_iterations(self, iterations):
        inputs, weights, biases, votes = random_layer()
        with self.assertRaisesRegex(ValueError, f'>= 1, got {iterations!r}'):
            layers.route(inputs, weights, biases, iterations)
        with self.assertRaisesRegex(ValueError, f'>= 1, got {iterations!r}'):
            layers.route_votes(votes, biases, iterations)


class CapsuleLayerTest(tf.test.TestCase, parameterized.TestCase):
    def test_capsule_routes_its_votes(self):
        inputs, weights, biases, votes = random_layer()
        layer = layers.Capsule(4, 5, iterations=3)
        layer.build(inputs.shape)
        layer.set_weights([weights, biases])
        expected, _ = reference_routing(votes, biases, 3, leaky=False)
        self.assertAllClose(layer(inputs), expected, rtol=1e-4, atol=1e-5)

    def test_examples_do_not_see_their_neighbours(self):
        inputs = random_layer()[0]
        layer = layers.Capsule(4, 5)
        whole = layer(inputs)
        self.assertAllClose(layer(inputs[2:3]), whole[2:3], atol=1e-6)

    @parameterized.product(
        padding=['valid', 'SAME'], iterations=[1, 3], leaky=[False, True], in_capsules=[1, 3]
    )
    def test_conv_capsule_routes_at_every_position(self, padding, iterations, leaky, in_capsules):
        grid = np.random.default_rng(0).normal(size=(2, 8, 7, in_capsules, 4)).astype(np.float32)
        layer = layers.ConvCapsule(
            6, 5, kernel_size=3, strides=2, padding=padding, iterations=iterations, leaky=leaky
        )
        outputs = layer(grid)
        self.assertEqual(outputs.shape, layer.compute_output_shape(grid.shape))
        votes = np.stack(
            [
                tf.nn.conv2d(grid[..., i, :], layer.weight.value, 2, padding.upper()).numpy()
                for i in range(in_capsules)
            ],
            axis=3,
        )  # [2, y, x, in_capsules, 30]
        flat = votes.reshape(-1, in_capsules, 6, 5)
        expected, _ = reference_routing(flat, layer.bias.numpy(), iterations, leaky)
        self.assertAllClose(outputs, expected.reshape(outputs.shape), rtol=1e-4, atol=1e-5)

    def test_flatten_grid_is_type_major(self):
        height, width, types = 2, 3, 4
        index = np.zeros((1, height, width, types, 1), np.float32)
        for y in range(height):
            for x in range(width):
                for kind in range(types):
                    index[0, y, x, kind] = kind * height * width + y * width + x
        self.assertAllEqual(layers.flatten_grid(index)[0, :, 0], range(height * width * types))

    @parameterized.parameters(
        (layers.Capsule(4, 5, iterations=2, leaky=True, name='digits'), (2, 7, 3)),
        (layers.ConvCapsule(4, 5, 3, 1, 'same', iterations=2, leaky=True), (2, 6, 6, 1, 8)),
        (layers.Decoder(4, 3, 2), (2, 10, 16)),
    )
    def test_config_and_shape(self, layer, shape):
        copy = type(layer).from_config(layer.get_config())
        self.assertEqual(copy.get_config(), layer.get_config())
        inputs = np.ones(shape, np.float32)
        self.assertEqual(copy(inputs).shape, copy.compute_output_shape(shape))

    def test_works_in_a_keras_model(self):
        model = keras.Sequential(
            [
                keras.layers.Input((12, 12, 1)),
                keras.layers.Reshape((12, 12, 1, 1)),
                layers.ConvCapsule(4, 8, kernel_size=5),
                keras.layers.Reshape((-1, 8)),
                layers.Capsule(10, 16),
            ]
        )
        self.assertEqual(model(np.zeros((3, 12, 12, 1))).shape, (3, 10, 16))

    @parameterized.parameters(
        (lambda: layers.Capsule(0, 16), 'out_capsules .* got 0'),
        (lambda: layers.Capsule(10, 1.5), 'out_atoms .* got 1.5'),
        (lambda: layers.ConvCapsule(8, 8, padding='full'), "'valid' or 'same', got 'full'"),
        (lambda: layers.ConvCapsule(8, 8, strides=0), 'strides .* got 0'),
        (lambda: layers.Decoder(28, 0, 1), 'width .* got 0'),
        (lambda: layers.Capsule(10, 16)(np.zeros((2, 3))), r'\[batch, in_capsules, in_atoms\]'),
        (lambda: layers.ConvCapsule(8, 8)(np.zeros((2, 9, 9, 3))), r'in_atoms\], got \(2, 9, 9'),
    )
    def test_errors_state_rule_and_value(self, make, message):
        with self.assertRaisesRegex(ValueError, message):
            make()


class ReconstructionTest(tf.test.TestCase):
    def test_mask_keeps_one_capsule(self):
        capsules = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
        masked = layers.mask_capsules(capsules, np.array([2, 0])).numpy()
        self.assertAllEqual(masked[0, 2], capsules[0, 2])
        self.assertAllEqual(masked[1, 0], capsules[1, 0])
        self.assertEqual(np.count_nonzero(masked), 8)

    def test_decoder_pixels_are_channel_first(self):
        decoder = layers.Decoder(2, 3, 2)
        decoder.build((None, 2, 4))
        # Only biases: pixel number k of the last layer becomes sigmoid(k).
        for stage in decoder.stages:
            stage.set_weights([np.zeros(stage.kernel.shape), np.arange(stage.units)])
        image = decoder(np.zeros((1, 2, 4), np.float32))[0].numpy()  # [2, 3, 2]
        expected = 1 / (1 + np.exp(-np.arange(12.0).reshape(2, 2, 3)))  # [depth, height, width]
        self.assertAllClose(image, expected.transpose(1, 2, 0))


if __name__ == '__main__':
    tf.test.main()
