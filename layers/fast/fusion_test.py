"""Fused functions: the plain ones' numbers, nothing kept for gradients; functions traced once."""

import numpy as np
import tensorflow as tf
from keras import ops

from layers.fast import fusion


def weigh(x, y, power):
    product = x * y**power
    return ops.sum(product, axis=0), ops.exp(product)


fused = fusion.fuse(weigh)


class FusionTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.x, self.y = (tf.constant(rng.normal(size=(3, 4)), tf.float32) for _ in range(2))

    def evaluate_both(self, function):
        with tf.GradientTape() as tape:
            tape.watch((self.x, self.y))
            total, weights = function(self.x, self.y, power=2)
            loss = tf.reduce_sum(total**2) + tf.reduce_sum(weights)
        return total, weights, *tape.gradient(loss, (self.x, self.y))

    def test_the_same_numbers(self):
        plain = self.evaluate_both(weigh)
        for found in (self.evaluate_both(fused), tf.function(self.evaluate_both)(fused)):
            for one, other in zip(found, plain, strict=True):
                self.assertAllClose(one, other, rtol=1e-5, atol=1e-5)

    def test_gradients_keep_the_arguments_alone(self):
        graph = tf.function(self.evaluate_both).get_concrete_function(fused).graph
        forward, backward = (op for op in graph.get_operations() if 'PartitionedCall' in op.type)
        self.assertLen(forward.outputs, 2)  # and nothing for the gradient
        self.assertTrue(forward.get_attr('_XlaMustCompile'))
        self.assertTrue(backward.get_attr('_XlaMustCompile'))

    def test_without_xla(self):
        with fusion.without_xla():
            graph = tf.function(self.evaluate_both).get_concrete_function(fused).graph
        self.assertNotIn('PartitionedCall', ' '.join(op.type for op in graph.get_operations()))

    def test_traced_once_for_a_shape(self):
        shapes = []

        @fusion.trace_once
        def double(x):
            shapes.append(x.shape)
            return 2 * x

        for x in (self.x, self.x, self.x[:2]):
            self.assertAllClose(tf.function(lambda x: double(x) + double(2 * x))(x), 6 * x)
        self.assertEqual(shapes, [(3, 4), (2, 4)])
        with fusion.without_xla():
            tf.function(double)(self.x)
        self.assertLen(shapes, 3)


if __name__ == '__main__':
    tf.test.main()
