"""Values at points give what direct convolution gives, in value and gradients."""

import unittest.mock

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

import layers
from layers.fast import convolution, fusion, transforms

TOLERANCE = 1e-5


def relative(actual, expected):
    return np.linalg.norm(np.subtract(actual, expected)) / np.linalg.norm(expected)


class WinogradTest(tf.test.TestCase, parameterized.TestCase):
    def assert_equals_direct(self, height, width, size, stride, padding, channels=3, out=2):
        rng = np.random.default_rng(height * 100 + width)
        maps = tf.constant(rng.normal(size=(2, height, width, channels)), tf.float32)
        kernel = tf.constant(rng.normal(size=(size, size, channels, out)), tf.float32)

        def evaluate(function):
            with tf.GradientTape() as tape:
                tape.watch((maps, kernel))
                result = function()
                weights = np.random.default_rng(1).normal(size=result.shape)
                loss = tf.reduce_sum(result * tf.constant(weights, tf.float32))
            return (result, *tape.gradient(loss, (maps, kernel)))

        direct = evaluate(lambda: tf.nn.conv2d(maps, kernel, stride, padding.upper()))
        ours = evaluate(tf.function(lambda: convolution.convolve(maps, kernel, stride, padding)))
        for name, expected, actual in zip(('value', 'maps', 'kernel'), direct, ours, strict=True):
            self.assertEqual(actual.shape, expected.shape, name)
            self.assertLess(relative(actual, expected), TOLERANCE, name)

    @parameterized.parameters(
        (20, 20, 9, 2, 'valid', 256, 256),  # MNIST
        (28, 28, 9, 2, 'valid', 8, 16),  # MultiMNIST, one transform of 14 x 14 points
        (24, 24, 9, 2, 'same', 8, 16),  # CIFAR-10, whose padding is left out
        (32, 32, 9, 2, 'valid', 8, 16),  # affNIST
        (40, 40, 9, 2, 'valid', 8, 16),  # four tiles
        (12, 12, 5, 1, 'valid', 8, 16),  # the baseline's second convolution
    )
    def test_networks_of_the_release(self, *case):
        self.assert_equals_direct(*case)

    @pytest.mark.slow
    def test_random_shapes(self):
        rng = np.random.default_rng(0)
        for _ in range(40):
            size, stride = int(rng.integers(1, 10)), int(rng.integers(1, 4))
            height, width = (int(side) for side in rng.integers(size, 40, 2))
            padding = ('valid', 'same')[rng.integers(2)]
            case = dict(size=size, stride=stride, height=height, width=width, pad=padding)
            # XLA would compile for each of them anew; with it are the networks above.
            with self.subTest(**case), fusion.without_xla():
                self.assert_equals_direct(height, width, size, stride, padding)

    def test_pieces_give_what_the_whole_gives(self):
        # One piece, a few, one for each product.
        for size, side, kernel in ((1 << 20, 24, 9), (100 << 10, 24, 9), (1, 12, 5)):
            limits = {'WHOLE_BYTES': size, 'PIECE_BYTES': size}
            with unittest.mock.patch.multiple(convolution, **limits):
                self.assert_equals_direct(side, side, kernel, 2, 'same', 8, 16)

    def test_a_large_transform_is_not_kept(self):
        kernel = tf.ones([9, 9, 8, 16])
        arguments = ((None, 20, 20, 8), kernel, 2, 'valid')
        size = 4 * 118 * (2 * 2 * 8) * 16  # bytes of 118 products for each pair of channels
        with unittest.mock.patch.object(convolution, 'WHOLE_BYTES', size):
            self.assertEqual(convolution.transform_kernel(*arguments).shape, (118, 32, 16))
        with unittest.mock.patch.object(convolution, 'WHOLE_BYTES', size - 1):
            self.assertIsNone(convolution.transform_kernel(*arguments))

    def test_products_are_as_few_as_documented(self):
        self.assertLen(transforms.make_transforms(6, 6, 5).input, 118)

    @parameterized.parameters(
        ((None, 20, 20, 256), (9, 9, 256, 256), 2, 'valid', True),
        ((None, 28, 28, 256), (9, 9, 256, 256), 2, 'valid', True),
        ((None, 24, 24, 256), (9, 9, 256, 512), 2, 'same', True),
        ((16, 20, 20, 256), (9, 9, 256, 256), 2, 'valid', True),
        ((None, 12, 12, 512), (5, 5, 512, 256), 1, 'valid', True),  # the baseline
        ((None, 28, 28, 256), (5, 5, 256, 128), 1, 'same', True),  # the paper's
        ((8, 20, 20, 256), (9, 9, 256, 256), 2, 'valid', False),  # the kernel's transform is dear
        ((None, 28, 28, 1), (9, 9, 1, 256), 1, 'valid', False),  # too few channels
        ((None, 20, 20, 256), (1, 1, 256, 256), 1, 'valid', False),  # nothing to save
    )
    def test_pays(self, shape, kernel_shape, stride, padding, expected):
        self.assertEqual(convolution.pays(shape, kernel_shape, stride, padding), expected)

    def test_method_of_a_layer(self):
        grid = np.random.default_rng(0).normal(size=(2, 12, 12, 1, 64)).astype(np.float32)
        direct = layers.ConvCapsule(8, 8, method='direct')
        direct.build(grid.shape)
        for method in ('auto', 'winograd'):
            other = layers.ConvCapsule(8, 8, method=method)
            other.build(grid.shape)
            other.set_weights(direct.get_weights())
            self.assertLess(relative(other(grid), direct(grid)), TOLERANCE)
        with self.assertRaisesRegex(ValueError, "auto, direct, winograd.* got 'fft'"):
            layers.ConvCapsule(8, 8, method='fft')

    def test_a_refreshed_transform_serves_inference_alone(self):
        grid = np.random.default_rng(0).normal(size=(2, 12, 12, 1, 64)).astype(np.float32)
        layer = layers.ConvCapsule(8, 8, method='winograd')
        layer.build(grid.shape)
        infer = tf.function(lambda: layer(grid, training=False))
        fresh = layer(grid, training=False)
        layer.refresh_transform()
        self.assertAllEqual(infer(), fresh)
        self.assertLen(layer.weights, 2)

        layer.weight.assign(2 * layer.weight)
        self.assertAllEqual(infer(), fresh)  # of the kernel as it was: the transform is in use
        now = layer(grid)
        self.assertNotAllClose(now, fresh)
        with tf.GradientTape() as tape:
            self.assertAllEqual(layer(grid, training=True), now)
        self.assertAllEqual(layer(grid[:, 1:], training=False), layer(grid[:, 1:]))  # another size
        layer.refresh_transform()
        self.assertAllEqual(infer(), now)  # in the function that was traced before

        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(grid, training=True))
        self.assertIsNotNone(tape.gradient(loss, layer.weight.value))

    @parameterized.parameters(
        ('tensorflow', False, True, True),
        ('tensorflow', True, False, False),
        ('jax', False, True, True),
        ('jax', True, True, False),
    )
    def test_auto_is_what_was_faster(self, backend, has_gpu, mnist, cifar10):
        cases = (
            (mnist, ((None, 20, 20, 256), (9, 9, 256, 256), 2, 'valid')),
            (cifar10, ((None, 24, 24, 256), (9, 9, 256, 512), 2, 'same')),
        )
        with (
            unittest.mock.patch.object(convolution.devices, 'has_gpu', lambda: has_gpu),
            unittest.mock.patch.object(convolution.keras.backend, 'backend', lambda: backend),
        ):
            for expected, sizes in cases:
                self.assertEqual(convolution.is_chosen('auto', 'float32', *sizes), expected)
                self.assertFalse(convolution.is_chosen('auto', 'bfloat16', *sizes))
                self.assertTrue(convolution.is_chosen('winograd', 'float32', *sizes))


if __name__ == '__main__':
    tf.test.main()
