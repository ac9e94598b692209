"""Adam and the learning-rate schedule, in the form and with the kernels of the release."""

from collections.abc import Sequence

import tensorflow as tf

from models.hparams import HParams

BETA1 = 0.9  # Kingma and Ba (2015), and the default of the release's optimizer
BETA2 = 0.999
EPSILON = 1e-8
LOWEST_LEARNING_RATE = 1e-6  # release


def learning_rate_at(step: tf.Tensor | int, hparams: HParams) -> tf.Tensor:
    """max(1e-6, learning_rate * decay_rate^(step / decay_steps)) as a float32 scalar."""
    periods = tf.cast(step, tf.float32) / hparams.decay_steps
    decayed = hparams.learning_rate * tf.pow(tf.constant(hparams.decay_rate, tf.float32), periods)
    return tf.maximum(LOWEST_LEARNING_RATE, decayed)


def beta_powers(step: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """beta1^(step+1) and beta2^(step+1), what a checkpoint holds after `step` steps."""
    exponent = tf.cast(step, tf.float32) + 1
    return tf.pow(BETA1, exponent), tf.pow(BETA2, exponent)


class Adam:
    """Adam with `lr_t = lr * sqrt(1 - beta2^t) / (1 - beta1^t)`, epsilon outside the root.

    One fused kernel, the release's own, reads and writes a variable and its moments once. It
    works on a replica's own copy, so under a `tf.distribute` strategy call it inside
    `strategy.run` with gradients already summed.

    Args:
      variables: the tf.Variables to train; under a strategy, build inside its scope.
    """

    def __init__(self, variables: Sequence[tf.Variable]):
        self.variables = list(variables)
        self.first_moments = [_zeros_like(variable) for variable in self.variables]
        self.second_moments = [_zeros_like(variable) for variable in self.variables]

    @property
    def moments(self) -> list[tf.Variable]:
        """All first moments, then all second moments."""
        return [*self.first_moments, *self.second_moments]

    def apply(
        self, gradients: Sequence[tf.Tensor], step: tf.Tensor, learning_rate: tf.Tensor
    ) -> None:
        """Updates every variable; `step` is the number of updates made before this one."""
        beta1_power, beta2_power = beta_powers(step)
        moments = self.first_moments, self.second_moments
        rows = zip(self.variables, gradients, *moments, strict=True)
        for variable, gradient, first, second in rows:
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=beta1_power,
                beta2_power=beta2_power,
                lr=learning_rate,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                grad=tf.cast(gradient, variable.dtype),
            )


def _zeros_like(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False)
