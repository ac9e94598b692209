"""Scores every example of a data set once, and counts the errors."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tqdm

import layers
from models import Model


class Evaluation(NamedTuple):
    """What a model, or the sum of several, makes of N examples."""

    scores: np.ndarray  # [N, classes] float32
    predictions: np.ndarray  # [N, targets] int32, highest score first
    labels: np.ndarray  # [N, targets] int32, in the order of the records
    num_wrong: int  # examples whose predictions are not exactly their labels
    num_almost: int  # examples with at least one label among the predictions
    loss: float  # mean total loss; of several models, their mean

    @property
    def num_examples(self) -> int:
        return len(self.scores)

    @property
    def wrong_percent(self) -> float:
        return 100 * self.num_wrong / self.num_examples

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
        self._batches = batches
        self._step = tf.function(model.eval_step, reduce_retracing=True)

    def evaluate(self) -> Evaluation:
        """Evaluates the model with its present weights; shows a bar on a terminal."""
        scores, labels, loss = [], [], 0.0
        progress = tqdm.tqdm(self._batches, 'evaluating', unit='batch', leave=False, disable=None)
        for features in progress:
            result = self._step(features)
            scores.append(result.scores.numpy())
            labels.append(features['target_labels'].numpy())
            loss += float(result.losses.total) * len(scores[-1])
        all_scores = np.concatenate(scores)
        return judge(all_scores, np.concatenate(labels), loss / len(all_scores))


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
