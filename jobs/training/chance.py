"""Notices a training that does no better than giving one answer for every image."""

import math
from collections.abc import Sequence

import numpy as np

from jobs.training.function import Means
from models import Model

LAST_STEP = 500  # at which it looks
WINDOW = 100  # steps up to then that it looks at
DEVIATIONS = 3  # of an accuracy by luck: one in 700 is beyond


class ChanceWatch:
    """Looks once in a run's life, at `LAST_STEP`, whether accuracy has risen above chance.

    Args:
      model: that is trained.
      batch_size: examples of a step.
    """

    def __init__(self, model: Model, batch_size: int):
        self._model = model
        self._batch_size = batch_size
        self._sums: np.ndarray | float = 0.0
        self._steps = 0

    def add(self, step: int, steps: int, sums: np.ndarray) -> str | None:
        """Takes in the `Advanced.sums` of the `steps` steps up to `step`.

        Returns:
          What to tell if `LAST_STEP` is among them and nothing was learned; a training that goes
          on from within the window, or from beyond it, is not looked at.
        """
        if step <= LAST_STEP - WINDOW or step - steps >= LAST_STEP:
            return None
        self._sums, self._steps = self._sums + sums, self._steps + steps
        if step < LAST_STEP or self._steps < WINDOW:
            return None
        info, hparams = self._model.info, self._model.hparams
        means = Means.of(np.asarray(self._sums), self._steps, self._batch_size, info.num_classes)
        chance = accuracy_of_constant(means.shares, info.num_targets)
        if not is_luck(means.accuracy, chance, self._steps * self._batch_size):
            return None
        return (
            f'Nothing learned by step {step}: accuracy is {means.accuracy:.1%}, one answer for all '
            f'images would have {chance:.1%}. Look at learning_rate ({hparams.learning_rate:g}), '
            f'the labels, the range of the images, loss_type ({hparams.loss_type}); causes are in '
            'docs/own_pictures.md'
        )


def accuracy_of_constant(shares: Sequence[float], num_targets: int) -> float:
    """How often the most frequent class is the target, or the two most frequent ones are both.

    Args:
      shares: of examples that show each class; they sum to `num_targets`.
      num_targets: 1, or 2 of different classes.
    """
    first, second = sorted((0.0, *shares), reverse=True)[:2]
    # What else there is beside the first class is the second in so many cases.
    return first if num_targets == 1 else first * second / (num_targets - first)


def is_luck(accuracy: float, chance: float, examples: int) -> bool:
    """Whether an accuracy over so many examples is within what `chance` gives."""
    return accuracy <= chance + DEVIATIONS * math.sqrt(chance * (1 - chance) / examples)
