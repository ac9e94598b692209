"""What the figures of an evaluation show, as arrays."""

import numpy as np
import tensorflow as tf

from jobs.evaluation.scoring import Evaluation
from models import Model

# Paper Section 5.1 and Fig. 4: steps of 0.05 in [-0.25, 0.25].
OFFSETS = np.linspace(-0.25, 0.25, 11)


def _members(judged: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Which classes are labels and which are predictions, [N, classes] bool each."""
    members = np.zeros((2, *judged.scores.shape), bool)
    for row, classes in zip(members, (judged.labels, judged.predictions), strict=True):
        np.put_along_axis(row, classes.astype(np.int64), True, axis=1)
    return members[0], members[1]


def confusion_matrix(judged: Evaluation) -> np.ndarray:
    """How often each class was taken for each: [classes, classes], by label and prediction.

    With two targets, a label that is also predicted is found; one that is not was taken for the
    prediction that is no label, or half for each if there are two. So a row adds up to the number
    of targets of its class.
    """
    wanted, predicted = _members(judged)
    missed = (wanted & ~predicted).astype(np.float64)
    invented = (predicted & ~wanted).astype(np.float64)
    invented /= np.maximum(invented.sum(axis=1, keepdims=True), 1)
    return missed.T @ invented + np.diag((wanted & predicted).sum(axis=0))


def is_wrong(judged: Evaluation) -> np.ndarray:
    """[N] bool: whether the predictions are not exactly the labels."""
    wanted, predicted = _members(judged)
    return (wanted != predicted).any(axis=1)


def confused_scores(judged: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """[N] lowest score of a missed label, [N] highest of a wrong prediction; inf, -inf if none."""
    wanted, predicted = _members(judged)
    missed = np.where(wanted & ~predicted, judged.scores, np.inf).min(axis=1)
    invented = np.where(predicted & ~wanted, judged.scores, -np.inf).max(axis=1)
    return missed, invented


def most_confident_mistakes(judged: Evaluation, count: int) -> np.ndarray:
    """The mistakes with the widest gap between a wrong prediction's score and a missed label's.

    The gap ranks lengths of capsules, logits and sums of them alike. At most `count` indices of
    examples are given, widest gap first; of equal gaps the earlier example.
    """
    missed, invented = confused_scores(judged)
    order = np.argsort(-(invented - missed), kind='stable')
    return order[is_wrong(judged)[order]][:count]


def neither_class(judged: Evaluation) -> np.ndarray:
    """[N] the class with the highest score that is neither label nor prediction (paper Fig. 5)."""
    return np.where(np.logical_or(*_members(judged)), -np.inf, judged.scores).argmax(axis=1)


def in_label_order(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[N, targets] predictions, those of two swapped if only so a label meets its like."""
    swapped = predictions[:, ::-1]
    matches = (swapped == labels).sum(axis=1) > (predictions == labels).sum(axis=1)
    return np.where(matches[:, None], swapped, predictions)


def examples_of_classes(judged: Evaluation) -> dict[int, int]:
    """The first example of each class whose targets were all found; classes without are absent."""
    shown = _members(judged)[0] & ~is_wrong(judged)[:, None]
    present = np.flatnonzero(shown.any(axis=0)).tolist()
    return {number: int(shown[:, number].argmax()) for number in present}


def gather_examples(batches: tf.data.Dataset, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Features of the examples at some places of a data set, at least one, in the order given."""
    places, order = np.unique(indices, return_inverse=True)
    examples = batches.unbatch().enumerate().filter(lambda place, _: tf.reduce_any(place == places))
    features = examples.map(lambda _, features: features).batch(len(places)).take(1)
    return {name: value[order] for name, value in next(features.as_numpy_iterator()).items()}


def decode_capsules(model: Model, capsules: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Decodes capsules [N, num_classes, atoms] by classes [N, k]: [N, k, height, width, depth]."""
    return model.reconstruct(tf.constant(capsules), tf.constant(classes, tf.int32)).numpy()


def decode_perturbations(model: Model, capsules: np.ndarray, number: int) -> np.ndarray:
    """Reconstructions while one dimension of a class capsule changes (paper Fig. 4).

    Of the capsules [num_classes, atoms] of one example, that of class `number` changes and is
    decoded: [atoms, len(OFFSETS), height, width, depth], with the capsule as it is in the middle.
    """
    atoms = capsules.shape[-1]
    changes = np.eye(atoms)[:, None] * OFFSETS[:, None]  # [atoms, offsets, atoms]
    changed = np.tile(capsules, (atoms * len(OFFSETS), 1, 1))  # [atoms * offsets, classes, atoms]
    changed[:, number] += changes.reshape(-1, atoms).astype(changed.dtype)
    images = decode_capsules(model, changed, np.full((len(changed), 1), number))[:, 0]
    return images.reshape(atoms, len(OFFSETS), *images.shape[1:])


def measure_logit_changes(model: Model, images: np.ndarray, iterations: int) -> np.ndarray | None:
    """How far routing logits move at each iteration (paper Fig. A.1).

    Returns:
      [iterations] mean of |change of b_ij| over the images [N, height, width, depth] and pairs of
      capsules; None for a network without routing logits.
    """
    # The last iteration of Procedure 1 needs no new logits: n updates show after n + 1.
    routed = [model.route(tf.constant(images), update + 1) for update in range(iterations + 1)]
    logits = [one.routing_logits for one in routed if one and one.routing_logits is not None]
    return np.abs(np.diff(logits, axis=0)).mean(axis=(1, 2, 3)) if logits else None
