"""Which test examples a report shows, and what the network makes of them."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from jobs.evaluation.scoring import Evaluation
from jobs.visualization import choose
from models import Model


class Example(NamedTuple):
    """One test example."""

    index: int  # its place in the order of the records
    image: np.ndarray  # [height, width, depth], the network's input
    labels: tuple[int, ...]
    predictions: tuple[int, ...]
    capsules: np.ndarray | None  # [classes, atoms]; None of a network without capsules


class Mistake(NamedTuple):
    """One class taken for another."""

    index: int
    missed: int  # a label that is not among the predictions
    found: int  # the prediction in its place
    doubt: float  # confidence in `missed`, as `Model.confidences` gives it
    confidence: float  # the same of `found`


def mistakes(evaluation: Evaluation, confidence: np.ndarray, count: int) -> list[Mistake]:
    """The most confident mistakes; see `choose.most_confident_mistakes`."""
    results = evaluation.labels, evaluation.predictions
    found = []
    for index in choose.most_confident_mistakes(confidence, *results, count).tolist():
        labels, predictions = (set(classes[index].tolist()) for classes in results)
        row = confidence[index]
        missed = min(labels - predictions, key=lambda label: row[label])
        taken = max(predictions - labels, key=lambda prediction: row[prediction])
        found.append(Mistake(index, missed, taken, float(row[missed]), float(row[taken])))
    return found


def of_classes(evaluation: Evaluation) -> dict[int, int]:
    """The index of an example of each class: the first recognised, or else the first.

    A class without an example is absent.
    """
    classes = evaluation.scores.shape[1]
    first = choose.examples_of_classes(evaluation.labels, evaluation.labels, classes)
    recognised = choose.examples_of_classes(evaluation.labels, evaluation.predictions, classes)
    return {int(label): index for label, index in sorted({**first, **recognised}.items())}


def collect(
    model: Model, batches: tf.data.Dataset, evaluation: Evaluation, indices: Iterable[int]
) -> dict[int, Example]:
    """Looks examples up, and routes them; goes through the batches once more."""
    places = np.array(sorted(indices))
    images = choose.gather(batches, places)['images']  # [indices, height, width, depth]
    routed = model.route(tf.constant(images))
    capsules = [None] * len(places) if routed is None else routed.activation.numpy()
    return {
        index: Example(
            index,
            image,
            tuple(evaluation.labels[index].tolist()),
            tuple(evaluation.predictions[index].tolist()),
            activation,
        )
        for index, image, activation in zip(places.tolist(), images, capsules, strict=True)
    }


def draw(model: Model, example: Example, classes: tuple[int, ...]) -> list[np.ndarray]:
    """What the decoder draws of some of an example's class capsules; [] without a decoder.

    Returns:
      An image [height, width, depth] for each class.
    """
    if not model.reconstructs:
        return []
    drawn = choose.reconstruct(model, example.capsules[None], np.array([classes]))
    return list(drawn[0])
