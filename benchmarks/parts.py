"""Routing, the convolution and the whole network, each beside its plain form.

On the Keras backend in use and its device; `KERAS_BACKEND=jax python -m benchmarks.parts` needs no
TensorFlow. --parts, --network, --batch_sizes, --precisions (float32, tf32, bfloat16) and --chunks
(of routing, in MB, beside the layer's choice) are lists with commas.

Of each form: milliseconds forward and with gradients, and the latter over those of the first form;
GB of memory that they need, where the backend tells; the error of the forward result y,
|y - y*| / |y*|, where y* is NumPy's in float64.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import keras
import numpy as np
from keras import ops

import layers
from benchmarks import backends, measure
from layers.fast import convolution, routing
from layers.fast.transforms import plan_axis
from layers.testing import reference_conv_votes, reference_routing

Tensor = Any

CLASSES, CLASS_ATOMS, PRIMARY_ATOMS = 10, 16, 8
CONV1_CHANNELS, KERNEL_SIZE = 256, 9
CHECKED = 2  # examples whose error is measured


class Network(NamedTuple):
    """Of the release."""

    side: int  # of an image
    depth: int
    types: int  # of primary capsules
    padding: str

    @property
    def maps(self) -> int:
        """Side of Conv1's maps."""
        return plan_axis(self.side, KERNEL_SIZE, 1, self.padding).outputs

    @property
    def grid(self) -> int:
        """Side of the grid of primary capsules."""
        return plan_axis(self.maps, KERNEL_SIZE, 2, self.padding).outputs


NETWORKS = {'mnist': Network(28, 1, 32, 'valid'), 'cifar10': Network(24, 3, 64, 'same')}


class Part(NamedTuple):
    forms: dict[str, Callable[..., Tensor]]  # the first is the one that a layer chooses on a CPU
    tensors: list[Tensor]
    reference: Callable[..., np.ndarray] | None = None  # float64, of the first CHECKED examples


def make_routing(network: Network, batch_size: int, precision: str, chunks: list[int]) -> Part:
    in_capsules = network.types * network.grid**2
    out_shape = (CLASSES, CLASS_ATOMS)

    def route(inputs, weights, biases):
        return layers.route(inputs, weights, biases, 3, with_coupling=False).activation

    def in_chunks(megabytes):
        limits = dict.fromkeys(('CHUNK_BYTES', 'GPU_CHUNK_BYTES'), megabytes << 20)

        def route_so(*tensors):
            with mock.patch.multiple(routing, **limits):
                return route(*tensors)

        return route_so

    def route_votes(inputs, weights, biases):
        votes = ops.einsum('bia,iao->bio', inputs, weights)
        votes = ops.reshape(votes, (-1, in_capsules, *out_shape))
        return layers.route_votes(votes, biases, 3).activation

    def reference(inputs, weights, biases):
        votes = np.einsum('bia,iao->bio', inputs[:CHECKED], weights)
        votes = votes.reshape(-1, in_capsules, *out_shape)
        return reference_routing(votes, biases, 3, leaky=False)[0]

    forms = {'fast': route, **{f'fast, {size} MB': in_chunks(size) for size in chunks}}
    tensors = [
        draw((batch_size, in_capsules, PRIMARY_ATOMS), 0.1, precision),
        draw((in_capsules, PRIMARY_ATOMS, CLASSES * CLASS_ATOMS), 0.1, precision),
        draw(out_shape, 0.1, precision),
    ]
    return Part({**forms, 'votes': route_votes}, tensors, reference)


def make_convolution(network: Network, batch_size: int, precision: str, _: list[int]) -> Part:
    maps = draw((batch_size, network.maps, network.maps, CONV1_CHANNELS), 1, precision)
    channels = (CONV1_CHANNELS, network.types * PRIMARY_ATOMS)
    kernel = draw((KERNEL_SIZE, KERNEL_SIZE, *channels), 0.1, precision)

    def direct(maps, kernel):
        return ops.conv(maps, kernel, strides=2, padding=network.padding)

    def winograd(maps, kernel):
        return convolution.convolve(maps, kernel, 2, network.padding)

    def reference(maps, kernel):
        grid = maps[:CHECKED, :, :, None]  # one capsule of all channels
        return reference_conv_votes(grid, kernel, 2, network.padding)[:, :, :, 0]

    forms = {'winograd': winograd, 'direct': direct}
    if precision == 'bfloat16':  # whose 8 bits the points' values would not survive
        del forms['winograd']
    return Part(forms, [maps, kernel], reference)


def make_network(network: Network, batch_size: int, precision: str, _: list[int]) -> Part:
    """Lengths and reconstructions of the network of paper Section 4."""
    dtype = 'mixed_bfloat16' if precision == 'bfloat16' else 'float32'
    images = keras.Input((network.side, network.side, network.depth))

    def build(conv_method, routing_method):
        maps = keras.layers.Conv2D(
            CONV1_CHANNELS, KERNEL_SIZE, padding=network.padding, activation='relu', dtype=dtype
        )(images)
        maps = ops.expand_dims(maps, 3)
        grid = layers.ConvCapsule(
            network.types, PRIMARY_ATOMS, padding=network.padding, method=conv_method, dtype=dtype
        )(maps)
        primary = ops.cast(layers.flatten_grid(grid), 'float32')
        capsules = layers.Capsule(CLASSES, CLASS_ATOMS, method=routing_method)(primary)
        masked = ops.concatenate([capsules[:, :1], 0 * capsules[:, 1:]], axis=1)
        decoder = layers.Decoder(network.side, network.side, network.depth, dtype=dtype)
        pixels = ops.reshape(decoder(masked), (-1, network.side**2 * network.depth))
        lengths = layers.Length()(capsules)
        return keras.Model(images, ops.concatenate([lengths, ops.cast(pixels, 'float32')], axis=1))

    def call(model):
        return lambda images, *weights: model.stateless_call(weights, [], images)[0]

    methods = {
        'winograd, fast': ('winograd', 'fast'),
        'direct, fast': ('direct', 'fast'),
        'direct, votes': ('direct', 'votes'),
    }
    if precision == 'bfloat16':
        del methods['winograd, fast']
    models = {name: build(*chosen) for name, chosen in methods.items()}
    weights = [ops.copy(weight.value) for weight in next(iter(models.values())).weights]
    side, depth = network.side, network.depth
    pixels = draw((batch_size, side, side, depth), 1, 'float32')
    return Part({name: call(model) for name, model in models.items()}, [pixels, *weights])


PARTS = {'routing': make_routing, 'convolution': make_convolution, 'network': make_network}


def draw(shape: tuple[int, ...], scale: float, precision: str) -> Tensor:
    """Normal numbers, rounded to bfloat16 if that is the precision; the same in each run."""
    numbers = np.random.default_rng(sum(shape)).normal(scale=scale, size=shape)
    dtype = 'bfloat16' if precision == 'bfloat16' else 'float32'
    return ops.cast(ops.convert_to_tensor(numbers.astype(np.float32)), dtype)


def to_float64(tensor: Tensor) -> np.ndarray:
    return ops.convert_to_numpy(ops.cast(tensor, 'float32')).astype(np.float64)


def compare(part: Part, precision: str, rounds: int) -> Iterator[dict[str, object]]:
    """Times the forms of a part, which take turns."""
    with backends.factors_in(precision):
        forms = part.forms.values()
        forward = [backends.compile_forward(form, part.tensors) for form in forms]
        gradients = [backends.compile_gradients(form, part.tensors) for form in forms]
        forward_ms = backends.milliseconds(forward, rounds)
        gradients_ms = backends.milliseconds(gradients, rounds)
        memory = [one.memory() for one in gradients]
        outputs = [to_float64(one.call()) for one in forward]
    exact = part.reference and part.reference(*map(to_float64, part.tensors))
    for number, name in enumerate(part.forms):
        result = {
            'form': name,
            'forward_ms': forward_ms[number],
            'with_gradients_ms': gradients_ms[number],
            'over_first': gradients_ms[number] / gradients_ms[0],
        }
        if memory[number] is not None:
            result['memory_gb'] = memory[number] / 1e9
        if exact is not None:
            error = np.linalg.norm(outputs[number][:CHECKED] - exact) / np.linalg.norm(exact)
            result['error'] = float(error)
        yield result


def main() -> None:
    arguments = measure.parse_arguments(
        __doc__,
        parts=','.join(PARTS),
        network='mnist',
        batch_sizes='128',
        precisions='float32',
        chunks='',
        rounds=5,
    )
    parts = measure.split('parts', arguments.parts, PARTS)
    precisions = measure.split('precisions', arguments.precisions, backends.PRECISIONS)
    networks = measure.split('network', arguments.network, NETWORKS)
    batch_sizes = [int(size) for size in arguments.batch_sizes.split(',')]
    chunks = [int(size) for size in arguments.chunks.split(',') if size]
    for name, *where in itertools.product(parts, networks, batch_sizes, precisions):
        network, batch_size, precision = where
        part = PARTS[name](NETWORKS[network], batch_size, precision, chunks)
        keys = dict(zip(('network', 'batch', 'factors'), where, strict=True))
        for result in compare(part, precision, arguments.rounds):
            measure.report(name, {**keys, **result}, arguments.json)


if __name__ == '__main__':
    main()
