"""The layers on the Keras backend in use: Keras' own checks, and numbers against NumPy.

`KERAS_BACKEND=jax python -m pytest layers/backends_test.py`, or torch; `make backends` runs all.
"""

import keras
import numpy as np
from absl.testing import parameterized
from keras.src.testing import TestCase

import layers
from layers import testing

STEP = 1e-7  # of differences in float64: no ReLU turns on or off in between
DIRECTIONS = 4  # in which the slope of each argument is compared

CONV = dict(out_capsules=2, out_atoms=3, kernel_size=3)
CONV_CASES = (
    ('valid', dict(padding='valid')),
    ('same', dict(padding='same')),
    ('routed', dict(padding='valid', iterations=3)),
    ('leaky', dict(padding='same', iterations=2, leaky=True)),
)
CAPSULE_CASES = (
    ('once', dict(iterations=1)),
    ('thrice', dict(iterations=3)),
    ('leaky', dict(iterations=3, leaky=True)),
)


def evaluate_with_gradients(layer, inputs, upstream):
    """Outputs, and gradients of sum(outputs * upstream) by inputs and weights, in NumPy."""
    backend = keras.backend.backend()
    if backend == 'tensorflow':
        import tensorflow as tf

        with tf.GradientTape() as tape:
            given = tf.constant(inputs)
            tape.watch(given)
            outputs = layer(given)
            loss = tf.reduce_sum(outputs * upstream)
        gradients = tape.gradient(loss, [given, *(weight.value for weight in layer.weights)])
    elif backend == 'jax':
        import jax

        def compute_loss(given, weights):
            outputs, _ = layer.stateless_call(weights, [], given)
            return (outputs * upstream).sum(), outputs

        weights = [weight.value for weight in layer.weights]
        compute = jax.jit(jax.grad(compute_loss, argnums=(0, 1), has_aux=True))
        (of_inputs, of_weights), outputs = compute(inputs, weights)
        gradients = [of_inputs, *of_weights]
    else:
        import torch

        given = keras.ops.convert_to_tensor(inputs).requires_grad_()  # on a GPU if there is one
        outputs = layer(given)
        loss = (outputs * keras.ops.convert_to_tensor(upstream)).sum()
        gradients = torch.autograd.grad(loss, [given, *(weight.value for weight in layer.weights)])
    return [keras.ops.convert_to_numpy(array) for array in (outputs, *gradients)]


class BackendsTest(TestCase, parameterized.TestCase):
    @parameterized.named_parameters(*CAPSULE_CASES, ('votes', dict(method='votes')))
    def test_capsule_passes_what_keras_asks(self, kwargs):
        self.run_layer_test(
            layers.Capsule,
            dict(out_capsules=4, out_atoms=5, **kwargs),
            input_shape=(2, 7, 3),
            expected_output_shape=(2, 4, 5),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=0,
        )

    @parameterized.named_parameters(*CONV_CASES, ('winograd', dict(method='winograd')))
    def test_conv_capsule_passes_what_keras_asks(self, kwargs):
        side = 4 if kwargs.get('padding') == 'same' else 3
        self.run_layer_test(
            layers.ConvCapsule,
            {**CONV, **kwargs},
            input_shape=(2, 8, 8, 2, 4),
            expected_output_shape=(2, side, side, 2, 3),
            expected_num_trainable_weights=2,
            expected_num_non_trainable_weights=0,
        )

    def test_decoder_passes_what_keras_asks(self):
        self.run_layer_test(
            layers.Decoder,
            dict(height=4, width=3, depth=2),
            input_shape=(2, 10, 16),
            expected_output_shape=(2, 4, 3, 2),
            expected_num_trainable_weights=6,
            expected_num_non_trainable_weights=0,
        )

    def test_length_passes_what_keras_asks(self):
        self.run_layer_test(
            layers.Length,
            {},
            input_shape=(2, 4, 5),
            expected_output_shape=(2, 4),
            expected_num_trainable_weights=0,
            expected_num_non_trainable_weights=0,
        )

    def assert_equals(self, layer, shape, reference):
        """Compares a layer with `reference(inputs, *weights)` in value and slopes."""
        rng = np.random.default_rng(0)
        inputs = rng.normal(size=shape).astype(np.float32)
        layer.build(shape)
        shapes = [weight.shape for weight in layer.weights]
        layer.set_weights([rng.normal(scale=size[0] ** -0.5, size=size) for size in shapes])
        arguments = [np.float64(value) for value in (inputs, *layer.get_weights())]
        expected = reference(*arguments)
        upstream = rng.normal(size=expected.shape).astype(np.float32)
        outputs, *gradients = evaluate_with_gradients(layer, inputs, upstream)
        self.assertAllClose(outputs, expected, rtol=1e-4, atol=1e-5)
        for number, gradient in enumerate(gradients):
            for _ in range(DIRECTIONS):
                direction = rng.normal(size=gradient.shape)
                ends = []
                for sign in (-1, 1):
                    moved = list(arguments)
                    moved[number] = moved[number] + sign * STEP * direction
                    ends.append((reference(*moved) * upstream).sum())
                slope = (ends[1] - ends[0]) / (2 * STEP)
                scale = np.linalg.norm(gradient)  # of a slope along a random direction
                self.assertAllClose((gradient * direction).sum() / scale, slope / scale, atol=1e-4)

    @parameterized.named_parameters(
        (f'{name}_{method}', {**kwargs, 'method': method})
        for name, kwargs in CAPSULE_CASES
        for method in ('fast', 'votes')
    )
    def test_capsule_equals_the_reference(self, kwargs):
        layer = layers.Capsule(3, 4, **kwargs)

        def reference(inputs, weights, biases):
            votes = np.einsum('bia,iao->bio', inputs, weights).reshape(2, 5, 3, 4)
            return testing.reference_routing(votes, biases, layer.iterations, layer.leaky)[0]

        self.assert_equals(layer, (2, 5, 3), reference)

    @parameterized.named_parameters(
        (f'{name}_{method}', {**kwargs, 'method': method})
        for name, kwargs in CONV_CASES
        for method in ('direct', 'winograd')
    )
    def test_conv_capsule_equals_the_reference(self, kwargs):
        layer = layers.ConvCapsule(**CONV, **kwargs)

        def reference(grid, kernel, biases):
            how = (layer.strides, layer.padding, layer.iterations, layer.leaky)
            return testing.reference_conv_capsule(grid, kernel, biases, *how)

        self.assert_equals(layer, (2, 5, 6, 2, 4), reference)

    def test_winograd_products_keep_the_mantissa(self):
        if keras.backend.backend() != 'jax':
            self.skipTest('only JAX has a precision for each product')
        import jax

        layer = layers.ConvCapsule(**CONV, method='winograd')
        layer.build((2, 8, 8, 2, 4))
        call = jax.jit(lambda inputs, weights: layer.stateless_call(weights, [], inputs)[0])
        differentiate = jax.jit(jax.grad(lambda *arguments: call(*arguments).sum(), argnums=(0, 1)))
        weights = [weight.value for weight in layer.weights]
        text = differentiate.lower(np.ones((2, 8, 8, 2, 4), np.float32), weights).as_text()
        products = [line for line in text.splitlines() if 'dot_general' in line]
        self.assertNotEmpty(products)
        for product in products:  # or a GPU rounds their factors to TF32
            self.assertIn('precision = [HIGHEST, HIGHEST]', product)

    def test_decoder_equals_the_reference(self):
        layer = layers.Decoder(3, 4, 2)

        def reference(capsules, *weights):
            return testing.reference_decoder(capsules, weights, (3, 4, 2))

        self.assert_equals(layer, (2, 3, 4), reference)

    def test_lengths_have_no_gradient_at_zero(self):
        capsules = np.array([[[3, 4], [0, 0]]], np.float32)
        upstream = np.array([[1, 1]], np.float32)
        layer = layers.Length()
        layer.build(capsules.shape)
        lengths, gradient = evaluate_with_gradients(layer, capsules, upstream)
        self.assertAllClose(lengths, [[5, 0]])
        self.assertAllClose(gradient, [[[0.6, 0.8], [0, 0]]])


if __name__ == '__main__':
    import unittest

    unittest.main()
