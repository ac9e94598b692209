"""Timing, the machine's sgemm peak, the direct-convolution floor, and how results are printed."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from input_data import DatasetInfo
from jobs import devices
from models import HParams, Model, build_model
from models.conv_model import ConvModel

MNIST = DatasetInfo(28, 28, 1, 10, 1)
# name: (model, hyper-parameters, images)
NETWORKS = {
    'mnist': ('capsule', '', MNIST),
    'multi_mnist': ('capsule', '', DatasetInfo(36, 36, 1, 10, 2)),
    'cifar10': (
        'capsule',
        'num_prime_capsules=64,padding=SAME,leaky=true,remake=false',
        DatasetInfo(24, 24, 3, 10, 1),
    ),
    'baseline': ('baseline', 'loss_type=softmax', MNIST),
    'paper_baseline': ('paper_baseline', 'loss_type=softmax', MNIST),
}
SGEMM_SIZE = 2048


def parse_arguments(description: str, **defaults) -> argparse.Namespace:
    """Command line of a benchmark: --json, and an option for each default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    for name, value in defaults.items():
        if isinstance(value, bool):
            parser.add_argument(f'--{name}', action='store_true')
            continue
        parser.add_argument(f'--{name}', type=type(value), default=value, help=f'default: {value}')
    return parser.parse_args()


def seconds(functions: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median seconds of each function; they take turns, so that noise meets all alike."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, row in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            row.append(time.perf_counter() - start)
    return [statistics.median(row) for row in times]


def sgemm() -> Callable[[], object]:
    """A function that multiplies two square matrices of SGEMM_SIZE."""
    matrix = tf.random.stateless_normal([SGEMM_SIZE, SGEMM_SIZE], seed=(0, 1))
    return lambda: tf.matmul(matrix, matrix).numpy()


def sgemm_peak(seconds_of_sgemm: float) -> float:
    """FLOP/s that a run of `sgemm` reached."""
    return 2 * SGEMM_SIZE**3 / seconds_of_sgemm


def direct_convolution_flop(model: Model, batch_size: int) -> float:
    """FLOP of a training step's convolutions done directly, counted from their shapes.

    Forward, gradient of the kernel and gradient of the input, which the first one has no use for.
    """
    info = model.info
    shape = (batch_size, info.height, info.width, info.depth)
    flop = []
    if isinstance(model, ConvModel):
        for layer in model.convolutions:
            shape = layer.compute_output_shape(shape)
            flop.append(2 * np.prod(shape) * np.prod(layer.kernel.shape[:3]))
            shape = shape if model.pool is None else model.pool.compute_output_shape(shape)
    else:
        maps = model.conv1.compute_output_shape(shape)
        grid = model.primary_capsules.compute_output_shape((*maps[:3], 1, maps[3]))
        flop.append(2 * np.prod(maps) * np.prod(model.conv1.kernel.shape[:3]))
        flop.append(2 * np.prod(grid) * np.prod(model.primary_capsules.weight.shape[:3]))
    return float(3 * sum(flop) - flop[0])


def network(name: str, overrides: str = '') -> Model:
    """One of NETWORKS, its variables and optimizer built."""
    model_name, hparams, info = NETWORKS[name]
    model = build_model(model_name, HParams.parse(f'{hparams},{overrides}'), info)
    model.build_optimizer()
    return model


def features(info: DatasetInfo, batch_size: int) -> dict[str, tf.Tensor]:
    """A random batch."""
    rng = np.random.default_rng(0)
    shape = (batch_size, info.height, info.width, info.depth)
    labels = np.stack([rng.permutation(10)[: info.num_targets] for _ in range(batch_size)])
    images = tf.constant(rng.random(shape), tf.float32)
    return {
        'images': images,
        'labels': tf.reduce_sum(tf.one_hot(labels, info.num_classes), axis=1),
        'target_labels': tf.constant(labels, tf.int32),
        'target_images': tf.repeat(images[:, None], info.num_targets, axis=1),
    }


def peak_memory_gb() -> float:
    """The most memory this process has held, in 10^9 bytes."""
    return devices.peak_memory() / 1e9


def report(name: str, result: dict[str, object], as_json: bool) -> None:
    """Prints a result as a line, or as JSON."""
    if as_json:
        print(json.dumps({'benchmark': name, **result}), flush=True)
        return
    parts = (f'{key} {f"{v:.4g}" if isinstance(v, float) else v}' for key, v in result.items())
    print(f'{name}: {", ".join(parts)}', flush=True)
