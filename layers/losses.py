"""Losses and hit counts as pure functions, and the margin loss for Keras' `compile`.

Shapes: scores and labels are [batch, classes]; labels are one-hot, or two-hot when an
example shows two targets.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from layers.capsule import check_one_of

Tensor = Any

PRESENT_MARGIN = 0.9  # m+ of paper Eq. 4
ABSENT_MARGIN = 0.1  # m- of paper Eq. 4
ABSENT_WEIGHT = 0.5  # lambda of paper Eq. 4
RECONSTRUCTION_WEIGHT = 0.0005  # paper Section 4.1


class Hits(NamedTuple):
    """For every example, as float32 0 or 1."""

    correct: Tensor  # [batch] the top scores are exactly the targets
    almost: Tensor  # [batch] at least one target is among the top scores


def margin_terms(scores: Tensor, labels: Tensor) -> Tensor:
    """L_k of paper Eq. 4 for every example and class: [batch, classes]."""
    present = labels * ops.square(ops.relu(PRESENT_MARGIN - scores))
    absent = (1 - labels) * ops.square(ops.relu(scores - ABSENT_MARGIN))
    return present + ABSENT_WEIGHT * absent


def margin_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Margin loss of the release: half of Eq. 4, averaged over batch *and* classes.

    With ten classes this is 1/20 of the paper's loss, see `margin_paper_loss`.
    """
    return ops.mean(0.5 * margin_terms(scores, labels))


def margin_paper_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Margin loss of paper Eq. 4: summed over classes, averaged over the batch."""
    return ops.mean(ops.sum(margin_terms(scores, labels), axis=-1))


@keras.saving.register_keras_serializable('capsnet')
class MarginLoss(keras.losses.Loss):
    """Margin loss over capsule lengths, for `model.compile(loss=MarginLoss())`.

    Labels are one-hot, or have a 1 for each target: [batch, classes], as the lengths.

    Args:
      scale: 'release' is half of Eq. 4, averaged over batch and classes: `margin_loss`;
        'paper' is Eq. 4 itself, summed over classes and averaged over the batch:
        `margin_paper_loss`. With ten classes the first is 1/20 of the second.
      reduction, name, dtype: as of every Keras loss; the scales above are those of Keras'
        default reduction, the mean over the batch.

    Raises:
      ValueError: if `scale` is neither, or labels are not of the lengths' shape.
    """

    def __init__(self, scale: str = 'release', name: str = 'margin_loss', **kwargs: Any):
        super().__init__(name=name, **kwargs)
        check_one_of(('release', 'paper'), scale=scale)
        self.scale = scale

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        if y_true.shape[1:] != y_pred.shape[1:]:  # class numbers would be spread over classes
            raise ValueError(
                'MarginLoss needs one-hot labels of the shape of the scores '
                f'{tuple(y_pred.shape)}, got {tuple(y_true.shape)}.'
            )
        summed = ops.sum(margin_terms(y_pred, y_true), axis=-1)  # [batch]
        return summed if self.scale == 'paper' else 0.5 * summed / y_pred.shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), 'scale': self.scale}


def softmax_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of softmax(scores), averaged over the batch (release).

    Its gradient is that of TensorFlow's op, which takes labels for a distribution:
    softmax(scores) - labels, also where two targets make them sum to 2.
    """
    cross_entropy = -ops.sum(labels * ops.log_softmax(scores, axis=-1), axis=-1)  # [batch]
    # Differentiated, this is sum(labels) * softmax(scores) - labels. What is taken off is 0 with
    # the gradient (sum(labels) - 1) * softmax(scores).
    normalizer = ops.logsumexp(scores, axis=-1)
    surplus = (ops.sum(labels, axis=-1) - 1) * (normalizer - ops.stop_gradient(normalizer))
    return ops.mean(cross_entropy - surplus)


def sigmoid_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of sigmoid(scores) with half labels, averaged over everything (release)."""
    # -y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)) = softplus(x) - x y
    return ops.mean(ops.softplus(scores) - scores * 0.5 * labels)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'margin': margin_loss,
    'margin_paper': margin_paper_loss,
    'softmax': softmax_loss,
    'sigmoid': sigmoid_loss,
}


def reconstruction_loss(reconstructions: Tensor, target_images: Tensor) -> Tensor:
    """Squared error summed over an image, averaged over the batch, times 0.0005 (Section 4.1).

    Images are [batch, targets, height, width, depth]; the result is [targets], one loss for each.
    """
    squared_error = ops.sum(ops.square(reconstructions - target_images), axis=(2, 3, 4))
    return RECONSTRUCTION_WEIGHT * ops.mean(squared_error, axis=0)


def top_classes(scores: Tensor, num_targets: int) -> Tensor:
    """[batch, num_targets] int32 classes of the highest scores, best first; of equal the lower."""
    return ops.cast(ops.top_k(scores, num_targets)[1], 'int32')


def count_hits(scores: Tensor, labels: Tensor, num_targets: int) -> Hits:
    """Compares the top `num_targets` scores with the top `num_targets` labels as sets."""
    predicted = _members(top_classes(scores, num_targets), scores.shape[1])
    wanted = _members(top_classes(labels, num_targets), scores.shape[1])
    found = ops.sum(predicted * wanted, axis=-1)  # [batch] how many targets were found
    return Hits(
        correct=ops.cast(ops.equal(found, num_targets), 'float32'),
        almost=ops.cast(ops.greater_equal(found, 1), 'float32'),
    )


def _members(classes: Tensor, num_classes: int) -> Tensor:
    """[batch, k] distinct classes -> [batch, num_classes] with a 1 for each."""
    return ops.sum(ops.one_hot(classes, num_classes, dtype='float32'), axis=1)
