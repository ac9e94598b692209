"""How a job wants its batches, and the data sets they are cut from.

What a training step sees is a function of the seed and the step alone. Training examples form
one endless line: each epoch is a shuffle of the whole set seeded by (seed, epoch), and step s
takes the examples at positions [s * batch_size, (s + 1) * batch_size) of the line. A resumed
job enters in the middle; a cluster's workers cut the same batch into equal parts.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from input_data.request import Batching, DatasetInfo, InputRequest

Raw = dict[str, tf.Tensor]  # a batch as it is stored, before it becomes features
Features = dict[str, tf.Tensor]

# With the kernel's default of 4, neighbours in the shuffled line are correlated (-0.3 at a
# distance of 2, measured over 60,000); from 8 on nothing is left to see.
SHUFFLE_ROUNDS = 16


class Indexed(NamedTuple):
    """A raw batch and the place of each example, from which augmentation draws its seeds."""

    positions: tf.Tensor  # [batch] int64, in the line of training examples or in the file
    raw: Raw


class Examples:
    """A data set whose examples are taken by number, from memory or from files."""

    def __init__(self, num_examples: int, take: Callable[[tf.Tensor], Raw]) -> None:
        """`take` gives the examples with the numbers int64 [batch], as they are stored."""
        self.num_examples = num_examples
        self._take = take

    def training(self, batching: Batching) -> tf.data.Dataset:
        """Endless `Indexed` batches of `batching.part_size` examples."""

        def load(part: tf.Tensor) -> Indexed:
            first = part * batching.part_size
            positions = first + tf.range(batching.part_size, dtype=tf.int64)
            return Indexed(positions, self._take(self._shuffled(positions, batching.seed)))

        return _map_batches(_parts(batching), load)

    def in_order(self, batch_size: int, limit: int) -> tf.data.Dataset:
        """The first `limit` examples as `Indexed` batches; the last may be smaller."""
        positions = tf.data.Dataset.range(min(limit, self.num_examples)).batch(batch_size)
        return _map_batches(positions, lambda batch: Indexed(batch, self._take(batch)))

    def select(self, numbers: np.ndarray) -> 'Examples':
        """The examples with these numbers, int64 [n], as a data set of their own."""
        chosen = tf.constant(numbers, tf.int64)
        return Examples(len(numbers), lambda batch: self._take(tf.gather(chosen, batch)))

    def _shuffled(self, positions: tf.Tensor, seed: int) -> tf.Tensor:
        """Which example stands at each position of the line."""
        epochs = positions // self.num_examples
        seeds = tf.stack([tf.fill(tf.shape(epochs), np.int64(seed)), epochs], axis=1)
        seeds = tf.concat([seeds, tf.zeros_like(seeds[:, :1])], axis=1)  # [batch, 3]
        # The public index_shuffle takes one seed for all; a batch may span two epochs.
        return tf.raw_ops.RandomIndexShuffle(
            index=positions % self.num_examples,
            seed=seeds,
            max_index=np.int64(self.num_examples - 1),
            rounds=SHUFFLE_ROUNDS,
        )


def hold(arrays: dict[str, np.ndarray]) -> Examples:
    """Examples held in memory; arrays [n, ...] by name."""
    tensors = {name: tf.convert_to_tensor(array) for name, array in arrays.items()}
    num_examples = len(next(iter(arrays.values())))
    return Examples(
        num_examples,
        lambda batch: {name: tf.gather(tensor, batch) for name, tensor in tensors.items()},
    )


def cut(
    examples: Examples,
    request: InputRequest,
    info: DatasetInfo,
    to_features: Callable[[Indexed], Features],
) -> tuple[tf.data.Dataset, DatasetInfo]:
    """The features that a request asks for, and `info` with the number of examples."""
    if request.split == 'train':
        num_examples = examples.num_examples
        batches = examples.training(request.batching)
    else:
        limit = examples.num_examples if request.limit is None else request.limit
        num_examples = min(limit, examples.num_examples)
        batches = examples.in_order(request.eval_batch_size, num_examples)
    batches = _map_batches(batches, to_features)
    options = tf.data.Options()
    options.deterministic = True
    # Every worker cuts its own part of each batch already.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    batches = batches.with_options(options).prefetch(4)
    return batches, dataclasses.replace(info, num_examples=num_examples)


def make_features(
    images: tf.Tensor, labels: tf.Tensor, num_classes: int, targets: Sequence[tf.Tensor] = ()
) -> Features:
    """A batch of features; see `input_data`.

    Args:
      images: float32 [batch, height, width, depth].
      labels: integers [batch, num_targets].
      num_classes: of the data set.
      targets: what to reconstruct, each as `images`; by default just these.
    """
    return {
        'images': images,
        'labels': one_hot_labels(labels, num_classes),
        'target_labels': tf.cast(labels, tf.int32),
        'target_images': tf.stack(targets or [images], axis=1),
    }


def one_hot_labels(target_labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """[batch, num_targets] classes -> [batch, num_classes] one-hot, or two-hot for two targets."""
    return tf.reduce_sum(tf.one_hot(target_labels, num_classes, dtype=tf.float32), axis=1)


def _map_batches(batches: tf.data.Dataset, function: Callable) -> tf.data.Dataset:
    """Maps by a function of operations alone: to look for Python's `if` takes 0.3 s of a start."""
    function = tf.autograph.experimental.do_not_convert(function)
    return batches.map(function, num_parallel_calls=tf.data.AUTOTUNE)


def _parts(batching: Batching) -> tf.data.Dataset:
    """The numbers of the parts of the line that this worker takes, in order, for ever."""
    per_step = batching.num_workers * batching.replicas

    def numbers(step: tf.Tensor) -> tf.data.Dataset:
        first = step * per_step + batching.worker * batching.replicas
        return tf.data.Dataset.range(first, first + batching.replicas)

    steps = tf.data.Dataset.range(batching.first_step, np.iinfo(np.int64).max)
    return steps if per_step == 1 else steps.flat_map(numbers)
