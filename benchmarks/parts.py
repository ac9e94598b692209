"""Routing alone and the convolution alone, with gradients, against their plain forms."""

from collections.abc import Callable

import tensorflow as tf

import layers
from benchmarks import measure
from layers.fast import convolution


def with_gradients(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> Callable[[], object]:
    """Runs a function and the gradients of its sum of squares."""

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(function(*inputs)))
        return tape.gradient(loss, inputs)

    return lambda: run()[0].numpy()


def main() -> None:
    arguments = measure.parse_arguments(__doc__, batch_size=128, rounds=7)
    random = tf.random.stateless_normal
    capsules = random([arguments.batch_size, 1152, 8], (0, 1)) * 0.1
    weights, biases = random([1152, 8, 160], (0, 2)) * 0.1, tf.fill([10, 16], 0.1)
    maps = random([arguments.batch_size, 20, 20, 256], (0, 3))
    kernel = random([9, 9, 256, 256], (0, 4)) * 0.1

    def route(inputs, weights, biases):
        return layers.route(inputs, weights, biases, 3).activation

    def route_votes(inputs, weights, biases):
        votes = tf.reshape(tf.einsum('bia,iao->bio', inputs, weights), [-1, 1152, 10, 16])
        return layers.route_votes(votes, biases, 3).activation

    pairs = {
        'routing': (
            with_gradients(route, capsules, weights, biases),
            with_gradients(route_votes, capsules, weights, biases),
        ),
        'convolution': (
            with_gradients(lambda x, k: convolution.convolve(x, k, 2, 'valid'), maps, kernel),
            with_gradients(lambda x, k: tf.nn.conv2d(x, k, 2, 'VALID'), maps, kernel),
        ),
    }
    for name, (ours, plain) in pairs.items():
        ours_time, plain_time = measure.seconds([ours, plain], arguments.rounds)
        result = {'seconds': ours_time, 'plain_over_ours': plain_time / ours_time}
        measure.report(name, result, arguments.json)


if __name__ == '__main__':
    main()
