"""The compiled part of training: one call, one or more steps, one row of numbers back."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models import Model
from models.model import StepResult


class Advanced(NamedTuple):
    """What a call of the training function tells, summed over its steps."""

    sums: tf.Tensor  # [4 + classes + targets] total loss, classification loss, correct, almost, how
    # many examples show each class, and the reconstruction loss of each target; losses are means
    # and all others counts over the batch
    bad_step: tf.Tensor  # scalar int64, the first step with a loss that is not finite, or 0


class Means(NamedTuple):
    """Per-example means over some steps."""

    loss: float
    classification: float
    accuracy: float
    almost_correct: float
    shares: tuple[float, ...]  # of examples that show a class, one for each
    reconstruction: tuple[float, ...]  # one for each target; empty without a decoder

    @classmethod
    def of(cls, sums: np.ndarray, steps: int, batch_size: int, num_classes: int) -> 'Means':
        loss, classification, *counts = (sums / steps)[: 4 + num_classes].tolist()
        correct, almost, *shares = (count / batch_size for count in counts)
        reconstruction = (sums / steps)[4 + num_classes :].tolist()
        return cls(loss, classification, correct, almost, tuple(shares), tuple(reconstruction))


def make_advance(
    model: Model, strategy: tf.distribute.Strategy
) -> Callable[[Iterator, int], Advanced]:
    """A function that trains on the next `steps` batches of an iterator."""

    def replica_step(features) -> tf.Tensor:
        result = model.train_step(features)
        return _row(result, features['labels'], strategy.num_replicas_in_sync)

    def step(iterator) -> Advanced:
        rows = strategy.run(replica_step, args=(next(iterator),))
        sums = strategy.reduce(tf.distribute.ReduceOp.SUM, rows, axis=None)
        bad_step = tf.where(tf.math.is_finite(sums[0]), tf.zeros([], tf.int64), model.step)
        return Advanced(sums, bad_step)

    one_step = tf.function(step, autograph=False)

    @tf.function
    def many_steps(iterator, steps: tf.Tensor) -> Advanced:
        info = model.info
        length = 4 + info.num_classes + model.reconstructs * info.num_targets
        sums, bad_step = tf.zeros([length]), tf.zeros([], tf.int64)
        for _ in tf.range(steps):
            done = step(iterator)
            sums += done.sums
            bad_step = tf.where(bad_step > 0, bad_step, done.bad_step)
        return Advanced(sums, bad_step)

    def advance(iterator, steps: int) -> Advanced:
        if steps == 1:
            return one_step(iterator)
        return many_steps(iterator, tf.constant(steps))

    return advance


def _row(result: StepResult, labels: tf.Tensor, replicas: int) -> tf.Tensor:
    losses = result.losses
    means = tf.stack([losses.total / replicas, losses.classification / replicas])
    parts = [means, tf.stack([result.correct, result.almost]), tf.reduce_sum(labels, axis=0)]
    if losses.reconstruction is not None:
        parts.append(losses.reconstruction / replicas)
    return tf.concat(parts, axis=0)  # [4 + classes + targets]
