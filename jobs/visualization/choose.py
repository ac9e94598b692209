"""What the figures of an evaluation show, as arrays."""

import numpy as np
import tensorflow as tf
from keras import ops

from models import Model

# Paper Section 5.1 and Fig. 4: steps of 0.05 in [-0.25, 0.25].
OFFSETS = np.linspace(-0.25, 0.25, 11)


def membership(classes: np.ndarray, num_classes: int) -> np.ndarray:
    """[N, targets] classes -> [N, num_classes] bool."""
    members = np.zeros((len(classes), num_classes), bool)
    np.put_along_axis(members, classes.astype(np.int64), True, axis=1)
    return members


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """How often each class was taken for each.

    With two targets, a label that is also predicted is found; one that is not was taken for the
    prediction that is no label, or half for each if there are two.

    Args:
      labels: [N, targets].
      predictions: [N, targets].
      num_classes: of the data set.

    Returns:
      [num_classes, num_classes] float64, by label and prediction; a row adds up to the number of
      targets of its class.
    """
    wanted, predicted = membership(labels, num_classes), membership(predictions, num_classes)
    missed = (wanted & ~predicted).astype(np.float64)
    invented = (predicted & ~wanted).astype(np.float64)
    invented /= np.maximum(invented.sum(axis=1, keepdims=True), 1)
    return missed.T @ invented + np.diag((wanted & predicted).sum(axis=0))


def is_wrong(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """[N] bool: whether the predictions are not exactly the labels."""
    differs = membership(labels, num_classes) != membership(predictions, num_classes)
    return differs.any(axis=1)


def confused_scores(
    scores: np.ndarray, labels: np.ndarray, predictions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest score of a missed label and highest score of a wrong prediction.

    Args:
      scores: [N, num_classes].
      labels: [N, targets].
      predictions: [N, targets].

    Returns:
      [N] and [N]; infinity and minus infinity where nothing is wrong.
    """
    wanted = membership(labels, scores.shape[1])
    predicted = membership(predictions, scores.shape[1])
    missed = np.where(wanted & ~predicted, scores, np.inf).min(axis=1)
    invented = np.where(predicted & ~wanted, scores, -np.inf).max(axis=1)
    return missed, invented


def most_confident_mistakes(
    scores: np.ndarray, labels: np.ndarray, predictions: np.ndarray, count: int
) -> np.ndarray:
    """The mistakes with the widest gap between a wrong prediction's score and a missed label's.

    The gap ranks lengths of capsules, logits and sums of them alike.

    Args:
      scores: [N, num_classes].
      labels: [N, targets].
      predictions: [N, targets].
      count: how many at most.

    Returns:
      Indices of examples, widest gap first; of equal gaps the earlier example.
    """
    missed, invented = confused_scores(scores, labels, predictions)
    order = np.argsort(-(invented - missed), kind='stable')
    return order[is_wrong(labels, predictions, scores.shape[1])[order]][:count]


def neither_class(scores: np.ndarray, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """[N] the class with the highest score that is neither label nor prediction (paper Fig. 5)."""
    either = membership(labels, scores.shape[1]) | membership(predictions, scores.shape[1])
    return np.where(either, -np.inf, scores).argmax(axis=1)


def in_label_order(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[N, targets] predictions, those of two swapped if only so a label meets its like."""
    if predictions.shape[1] == 1:
        return predictions
    swapped = predictions[:, ::-1]
    matches = (swapped == labels).sum(axis=1) > (predictions == labels).sum(axis=1)
    return np.where(matches[:, None], swapped, predictions)


def examples_of_classes(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> dict[int, int]:
    """The first example of each class whose targets were all found; classes without are absent."""
    found = ~is_wrong(labels, predictions, num_classes)
    shown = membership(labels, num_classes) & found[:, None]
    present = np.flatnonzero(shown.any(axis=0)).tolist()
    return {number: int(shown[:, number].argmax()) for number in present}


def gather_examples(batches: tf.data.Dataset, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Reads examples of a data set by their places in it.

    Args:
      batches: feature batches in order.
      indices: places from 0 on, in any order, at least one.

    Returns:
      Features of these examples, in the order of `indices`.
    """
    rows: dict[int, dict[str, np.ndarray]] = {}
    wanted, start = {int(index) for index in indices}, 0
    for features in batches:
        size = len(features['target_labels'])
        for index in wanted.intersection(range(start, start + size)):
            rows[index] = {name: value[index - start].numpy() for name, value in features.items()}
        start += size
        if len(rows) == len(wanted):
            break
    names = next(iter(rows.values()))
    return {name: np.stack([rows[int(index)][name] for index in indices]) for name in names}


def decode_capsules(model: Model, capsules: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Decodes capsules [N, num_classes, atoms] by classes [N, k]: [N, k, height, width, depth]."""
    return model.reconstruct(tf.constant(capsules), tf.constant(classes, tf.int32)).numpy()


def decode_perturbations(model: Model, capsules: np.ndarray, number: int) -> np.ndarray:
    """Reconstructions while one dimension of a class capsule changes (paper Fig. 4).

    Args:
      model: with a decoder.
      capsules: [num_classes, atoms] of one example.
      number: the class whose capsule changes and is decoded.

    Returns:
      [atoms, len(OFFSETS), height, width, depth]; the middle column is the reconstruction of the
      capsule as it is.
    """
    atoms = capsules.shape[-1]
    changes = np.eye(atoms)[:, None] * OFFSETS[:, None]  # [atoms, offsets, atoms]
    changed = np.tile(capsules, (atoms * len(OFFSETS), 1, 1))  # [atoms * offsets, classes, atoms]
    changed[:, number] += changes.reshape(-1, atoms).astype(changed.dtype)
    images = decode_capsules(model, changed, np.full((len(changed), 1), number))[:, 0]
    return images.reshape(atoms, len(OFFSETS), *images.shape[1:])


def measure_logit_changes(model: Model, images: np.ndarray, iterations: int) -> np.ndarray | None:
    """How far routing logits move at each iteration (paper Fig. A.1).

    Args:
      model: whatever its own number of iterations.
      images: [N, height, width, depth].
      iterations: how many updates of the logits to look at.

    Returns:
      [iterations] mean of |change of b_ij| over the images and pairs of capsules; None for a
      network without routing logits.
    """
    # The last iteration of Procedure 1 needs no new logits: n updates show after n + 1.
    routed = [model.route(tf.constant(images), update + 1) for update in range(iterations + 1)]
    logits = [one.routing_logits for one in routed if one and one.routing_logits is not None]
    if not logits:
        return None
    return np.array(
        [
            float(ops.mean(ops.abs(after - before)))
            for before, after in zip(logits[:-1], logits[1:], strict=True)
        ]
    )
