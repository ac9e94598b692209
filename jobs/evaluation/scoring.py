"""Scores every example of a data set once, and counts the errors."""

import time
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tqdm

import layers
from models import Losses, Model


class Evaluation(NamedTuple):
    """What a model, or the sum of several, makes of N examples."""

    scores: np.ndarray  # [N, classes] float32
    predictions: np.ndarray  # [N, targets] int32, highest score first
    labels: np.ndarray  # [N, targets] int32, in the order of the records
    num_wrong: int  # examples whose predictions are not exactly their labels
    num_almost: int  # examples with at least one label among the predictions
    loss: float  # mean total loss; of several models, their mean
    classification: float | None = None  # its part; None of several models
    reconstruction: tuple[float, ...] = ()  # its parts, one for each target with a decoder
    images_per_second: float = 0.0  # 0 of several models
    class_names: tuple[str, ...] | None = None  # where they have others than their numbers

    @property
    def num_examples(self) -> int:
        return len(self.scores)

    @property
    def wrong_percent(self) -> float:
        return 100 * self.num_wrong / self.num_examples

    def name_classes(self, classes: Iterable[int]) -> str:
        """What to call one class or the targets of an example."""
        return '+'.join(self.class_names[n] if self.class_names else str(n) for n in classes)

    def line(self) -> str:
        """The line that an evaluation ends with."""
        return f'Total wrong predictions: {self.num_wrong}, wrong percent: {self.wrong_percent:g}%'


class Scorer:
    """Evaluates a model as often as wanted; its function is compiled once.

    Args:
      model: a built model.
      batches: feature batches, once through the examples; the last may be smaller.
    """

    def __init__(self, model: Model, batches: tf.data.Dataset):
        self._model = model
        self._batches = batches
        self._step = tf.function(model.eval_step, autograph=False, reduce_retracing=True)

    def evaluate(self) -> Evaluation:
        """Evaluates the model with its present weights; shows a bar on a terminal."""
        scores, labels, losses = [], [], np.zeros(())
        self._model.refresh()
        progress = tqdm.tqdm(self._batches, 'evaluating', unit='batch', leave=False, disable=None)
        started = time.monotonic()
        for features in progress:
            result = self._step(features)
            scores.append(result.scores.numpy())
            labels.append(features['target_labels'].numpy())
            losses = losses + _row(result.losses) * len(scores[-1])
        seconds = time.monotonic() - started
        all_scores = np.concatenate(scores)
        total, classification, *reconstruction = (losses / len(all_scores)).tolist()
        return judge(all_scores, np.concatenate(labels), total)._replace(
            classification=classification,
            reconstruction=tuple(reconstruction),
            images_per_second=len(all_scores) / seconds,
            class_names=self._model.info.class_names,
        )


def _row(losses: Losses) -> np.ndarray:
    """[2 + targets] float64: total, classification, and a reconstruction loss each."""
    parts = [losses.total, losses.classification]
    if losses.reconstruction is not None:
        parts.extend(tf.unstack(losses.reconstruction))
    return np.array([float(part) for part in parts])


def judge(scores: np.ndarray, labels: np.ndarray, loss: float) -> Evaluation:
    """Counts the errors of scores.

    Args:
      scores: [N, classes].
      labels: [N, targets] class of each target.
      loss: to report.
    """
    num_targets = labels.shape[1]
    label_vectors = np.zeros_like(scores)
    np.add.at(label_vectors, (np.arange(len(labels))[:, None], labels), 1)
    hits = layers.count_hits(scores, label_vectors, num_targets)
    return Evaluation(
        scores=scores,
        predictions=np.asarray(layers.top_classes(scores, num_targets)),
        labels=labels,
        num_wrong=len(scores) - int(np.sum(hits.correct)),
        num_almost=int(np.sum(hits.almost)),
        loss=loss,
    )
