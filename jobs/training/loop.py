"""Trains a model: the loop, its checkpoints and its summaries for TensorBoard."""

import dataclasses
import time
from typing import Any

import numpy as np
import tensorflow as tf

from common import lock
from common.errors import UserError
from jobs import devices
from jobs.run import Run
from jobs.training import function
from jobs.training.chance import ChanceWatch
from jobs.training.function import Advanced, Means
from jobs.training.progress import Progress
from jobs.training.signals import StopSignals
from jobs.visualization import summaries
from models import Model, checkpoint, optimizer


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """What a training does besides learning."""

    run: Run  # for checkpoints and event files
    max_steps: int  # in all, those of the checkpoint it starts from included
    batch_size: int = 128  # over all replicas (paper: Section 5 gives none; release)
    save_step: int = 1500  # steps between checkpoints (release)
    summary_step: int = 10  # steps between scalars
    keep_checkpoints: int = 1000  # the newest ones; 0 keeps all

    def stride(self, step: int) -> int:
        """Steps to make in one go from `step` on: up to the next at which there is more to do."""
        if not devices.on_gpu():
            return 1  # a GPU should not wait for Python between steps; a CPU wins nothing by more
        every = (self.save_step, self.summary_step)
        return min(self.max_steps - step, *(number - step % number for number in every))


def train(
    model: Model,
    strategy: tf.distribute.Strategy,
    batches: tf.data.Dataset,
    settings: TrainSettings,
    stop: StopSignals,
    is_chief: bool = True,
) -> int:
    """Trains from `model.step` to `settings.max_steps`, or until told to stop.

    Args:
      model: built in `strategy.scope()`.
      strategy: see `jobs.devices.make_strategy`.
      batches: endless feature batches from step `model.step` on, a batch for each replica.
      settings: what to write, when and where.
      stop: ends the run after the step at hand, with a checkpoint.
      is_chief: whether this process writes and reports.

    Returns:
      The step it ended at.

    Raises:
      UserError: if a loss or a weight is not finite; the last checkpoint stays.
    """
    step = int(model.step.numpy())
    advance = function.make_advance(model, strategy)
    iterator = iter(strategy.distribute_datasets_from_function(lambda _: batches))
    recording = _Recorder(model, settings, batches, step, is_chief)
    with recording as recorder:
        while step < settings.max_steps and stop.reason is None:
            stride = settings.stride(step)
            with devices.together(strategy):
                advanced = advance(iterator, stride)
                step += stride
                recorder.add(step, stride, advanced)  # which waits for the results
            if step % settings.save_step == 0:
                recorder.save(step)
        recorder.save(step)
    if stop.reason is not None and is_chief:
        print(f'Stopped by {stop.reason} at step {step}; the same command goes on from there.')
    return step


class _Recorder:
    """Everything a training tells and writes: progress, scalars, checkpoints."""

    def __init__(
        self,
        model: Model,
        settings: TrainSettings,
        batches: tf.data.Dataset,
        step: int,
        is_chief: bool,
    ):
        self._model = model
        self._settings = settings
        self._batches = batches
        self._is_chief = is_chief
        self._progress = Progress(step, settings.max_steps, quiet=not is_chief)
        self._chance = ChanceWatch(model, settings.batch_size)
        self._writer: Any = None
        if is_chief:
            self._writer = tf.summary.create_file_writer(settings.run.train_dir)
            summaries.write_hparams(settings.run)
        self._sums, self._steps, self._since = 0.0, 0, time.monotonic()
        # The step trained to last may be in a checkpoint already.
        saved = step in checkpoint.steps(settings.run.train_dir)
        self._saved_step = step if saved else None

    def __enter__(self) -> '_Recorder':
        return self

    def __exit__(self, *exception) -> None:
        self._progress.close()
        if self._writer is not None:
            self._writer.close()

    def add(self, step: int, steps: int, advanced: Advanced) -> None:
        """Takes the numbers of the last call in; shows them every `summary_step`."""
        bad_step = int(advanced.bad_step)
        if bad_step:
            raise UserError(
                f'the loss at step {bad_step} is not finite; {self._what_is_left()} '
                '(a lower learning_rate may help)'
            )
        sums = advanced.sums.numpy()
        if told := self._chance.add(step, steps, sums):
            self._progress.say(told)
        self._sums, self._steps = self._sums + sums, self._steps + steps
        if step % self._settings.summary_step and step < self._settings.max_steps:
            return
        now = time.monotonic()
        images_per_second = self._steps * self._settings.batch_size / (now - self._since)
        counts = self._steps, self._settings.batch_size, self._model.info.num_classes
        means = Means.of(np.asarray(self._sums), *counts)
        self._progress.show(step, means.loss, means.accuracy, images_per_second)
        if self._writer is not None:
            lock.show_life(self._settings.run.folder)
            with self._writer.as_default(step):
                _write_scalars(means, step, images_per_second, self._model, self._settings)
        self._sums, self._steps, self._since = 0.0, 0, now

    def save(self, step: int) -> None:
        """Writes a checkpoint, unless this step has one."""
        if step == self._saved_step or not self._is_chief:
            return
        for name, variable in self._model.tf_variables().items():
            if not np.isfinite(variable.numpy()).all():
                raise UserError(
                    f'{name} is not finite after step {step}; no checkpoint of it is written, '
                    f'{self._what_is_left()}'
                )
        directory, keep = self._settings.run.train_dir, self._settings.keep_checkpoints
        path = checkpoint.save(directory, self._model, step, keep)
        with self._writer.as_default(step):
            self._write_pictures()
        self._writer.flush()
        self._saved_step = step
        self._progress.say(f'Checkpoint {path}')

    def _what_is_left(self) -> str:
        newest = checkpoint.latest(self._settings.run.train_dir)
        if newest is None:
            return f'{self._settings.run.train_dir} holds no checkpoint yet'
        return f'the last checkpoint, {newest}, is good'

    def _write_pictures(self) -> None:
        """What is too dear for every step. Computed by the chief, under a strategy with its copy.

        Outside `strategy.run` a mirrored variable is read from this process' first device.
        """
        verbose = self._model.hparams.verbose
        if not verbose and not self._model.reconstructs:
            return
        features = summaries.fixed_batch(self._settings.run.summary_batch_path, self._batches)
        summaries.write_reconstructions(self._model, features)
        if verbose:
            summaries.write_statistics(self._model, features)


def _write_scalars(
    means: Means, step: int, images_per_second: float, model: Model, settings: TrainSettings
) -> None:
    losses = means.loss, means.classification, means.reconstruction
    hits = means.accuracy * settings.batch_size, means.almost_correct * settings.batch_size
    summaries.write_losses(*losses)
    summaries.write_released_batch(*losses, hits)
    tf.summary.scalar('accuracy', means.accuracy)
    tf.summary.scalar('almost_correct', means.almost_correct)
    tf.summary.scalar('learning_rate', optimizer.learning_rate_at(step, model.hparams))
    tf.summary.scalar('images_per_second', images_per_second)
