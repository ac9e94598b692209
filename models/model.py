"""What all models share: losses, one training step, one evaluation step."""

import functools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import layers
from models import optimizer
from models.hparams import HParams

Features = dict[str, tf.Tensor]


class Inferred(NamedTuple):
    """What a network makes of a batch."""

    scores: tf.Tensor  # [batch, classes]; lengths of the class capsules, or logits
    reconstructions: tf.Tensor | None  # [batch, targets, height, width, depth], or no decoder


class Losses(NamedTuple):
    """Losses of a batch, each a mean over its examples."""

    classification: tf.Tensor  # scalar
    reconstruction: tf.Tensor | None  # [targets], or no decoder
    total: tf.Tensor  # scalar, what training minimises


class StepResult(NamedTuple):
    """What one step tells about its batch."""

    losses: Losses
    correct: tf.Tensor  # scalar float32, number of examples
    almost: tf.Tensor  # scalar float32, number of examples
    scores: tf.Tensor  # [batch, classes]


class Model(keras.Model):
    """A network with its losses and optimizer.

    A subclass builds its layers in `__init__`, implements `call(features, training)` and
    names its variables as the release does in `released_variables`. What else it offers it says
    itself, and jobs ask nothing else: one with class capsules implements `route` and sets
    `score_name = 'length'`; one that draws them sets `decoder`.

    Args:
      hparams: hyper-parameters.
      info: sizes and counts of the data set, an `input_data.DatasetInfo`.
      seed: of whatever training draws (dropout).
    """

    score_name: str = 'score'  # of a class: a logit, or the 'length' of its capsule

    def __init__(self, hparams: HParams, info: Any, seed: int = 0, **kwargs: Any):
        # Layers have precisions of their own. Features hold labels and target images beside the
        # network's input, and routing is called past its layer: nothing here may be cast.
        super().__init__(dtype='float32', autocast=False, **kwargs)
        self.hparams = hparams
        self.info = info
        self.seed = seed
        self.decoder: Any = None  # a layer: masked class capsules -> image
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name='step')

    def route(self, images: tf.Tensor, iterations: int | None = None) -> layers.Routed | None:
        """Class capsules, couplings and routing logits; None for a network without capsules.

        Args:
          images: [batch, height, width, depth].
          iterations: of routing, in place of the network's own number.
        """
        return None

    @property
    def reconstructs(self) -> bool:
        """Whether the network draws its class capsules."""
        return self.decoder is not None

    def reconstruct(self, capsules: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Draws each target's class capsule, the others set to zero (paper Section 4.1).

        Args:
          capsules: [batch, classes, atoms].
          targets: [batch, targets] class of each.

        Returns:
          [batch, targets, height, width, depth] float32.
        """
        num_targets = targets.shape[1]
        repeated = tf.repeat(capsules, num_targets, axis=0)  # [batch * targets, classes, atoms]
        masked = layers.mask_capsules(repeated, tf.reshape(targets, [-1]))
        images = self.decoder(masked)  # [batch * targets, height, width, depth]
        images = tf.reshape(images, [-1, num_targets, *images.shape[1:]])
        return tf.cast(images, tf.float32)

    def scores(self, capsules: tf.Tensor) -> tf.Tensor:
        """Lengths of the class capsules: [batch, classes, atoms] -> [batch, classes]."""
        return layers.capsule_lengths(capsules)

    @property
    def confidence_name(self) -> str:
        """What `confidences` gives for a class."""
        return 'length' if self.score_name == 'length' else 'probability'

    def confidences(self, scores: np.ndarray) -> np.ndarray:
        """[N, classes] scores as numbers in [0, 1]: lengths as they are; of logits the softmax."""
        return scores if self.score_name == 'length' else tf.nn.softmax(scores).numpy()

    def released_variables(self) -> dict[str, keras.Variable]:
        """The trained variables by their names in a released checkpoint."""
        raise NotImplementedError

    def released_shape(self, name: str) -> tuple[int, ...]:
        """The shape that variable `name` has in a released checkpoint."""
        return tuple(self.released_variables()[name].shape)

    def tf_variables(self) -> dict[str, tf.Variable]:
        """As `released_variables`, unwrapped from Keras."""
        return {name: variable.value for name, variable in self.released_variables().items()}

    @functools.cached_property
    def adam(self) -> optimizer.Adam:
        """The optimizer; its moments are made at first use."""
        return optimizer.Adam(list(self.tf_variables().values()))

    def build_optimizer(self) -> None:
        """Makes Adam's moments now; under a strategy, call it in its scope before training."""
        _ = self.adam

    def compute_losses(self, features: Features, inferred: Inferred) -> Losses:
        classification_loss = layers.LOSSES[self.hparams.loss_type]
        classification = classification_loss(inferred.scores, features['labels'])
        if inferred.reconstructions is None:
            return Losses(classification, None, classification)
        reconstruction = layers.reconstruction_loss(
            inferred.reconstructions, features['target_images']
        )
        total = classification + tf.reduce_sum(reconstruction)
        return Losses(classification, reconstruction, total)

    def gradients(self, features: Features) -> tuple[StepResult, list[tf.Tensor]]:
        """Result of the batch and the gradients of its total loss, in `tf_variables` order."""
        variables = list(self.tf_variables().values())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            inferred = self(features, training=True)
            losses = self.compute_losses(features, inferred)
        gradients = tape.gradient(losses.total, variables)
        return self._result(features, inferred, losses), gradients

    def train_step(self, features: Features) -> StepResult:
        """One Adam step on a batch; under a strategy, on this replica's part of the batch."""
        result, gradients = self.gradients(features)
        replicas = tf.distribute.get_replica_context()
        if replicas.num_replicas_in_sync > 1:
            # Losses are means over equal parts of the batch: the whole batch's is their mean.
            gradients = replicas.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        self.adam.apply(gradients, self.step, optimizer.learning_rate_at(self.step, self.hparams))
        # A plain assign_add may not run inside a replica; each replica counts for itself.
        tf.raw_ops.AssignAddVariableOp(resource=self.step.handle, value=tf.ones([], tf.int64))
        return result

    def refresh(self) -> None:
        """Computes what many batches of inference share; call it again when weights changed."""

    def eval_step(self, features: Features) -> StepResult:
        """Scores, losses and hits of a batch, without learning."""
        inferred = self(features, training=False)
        return self._result(features, inferred, self.compute_losses(features, inferred))

    def _result(self, features: Features, inferred: Inferred, losses: Losses) -> StepResult:
        hits = layers.count_hits(inferred.scores, features['labels'], self.info.num_targets)
        correct, almost = tf.reduce_sum(hits.correct), tf.reduce_sum(hits.almost)
        return StepResult(losses, correct, almost, inferred.scores)
