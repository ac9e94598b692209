"""The program's networks, random batches, sgemm's peak, and the direct-convolution floor."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from input_data import DatasetInfo
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


def build(name: str, overrides: str = '') -> Model:
    """One of NETWORKS, its variables and optimizer built."""
    model_name, hparams, info = NETWORKS[name]
    model = build_model(model_name, HParams.parse(f'{hparams},{overrides}'), info)
    model.build_optimizer()
    return model


def random_batch(info: DatasetInfo, batch_size: int) -> dict[str, tf.Tensor]:
    """Features of a random batch."""
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
