"""The evaluation job: a checkpoint, an ensemble of them, or those of a training as they come."""

import dataclasses
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

import input_data
from common import files
from common.errors import UserError, printable
from jobs import devices
from jobs import run as run_config
from jobs.evaluation import ensemble, results
from jobs.evaluation.scoring import Evaluation, Scorer
from jobs.options import RunOptions
from models import HParams, Model, build_model, checkpoint
from models.checkpoint import CheckpointError


class Session(NamedTuple):
    """What every evaluation of a run shares."""

    options: RunOptions
    model: Model
    scorer: Scorer
    batches: tf.data.Dataset  # of the examples to evaluate, in order

    def evaluate(self, path: str) -> tuple[int, Evaluation]:
        """Evaluates a checkpoint; returns its step too."""
        step = checkpoint.restore(path, self.model, with_moments=False)
        try:
            return step, self.scorer.evaluate()
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, UnicodeDecodeError):
            # A broken example stops the graph without saying which: look for it at leisure.
            input_data.check(self.options.dataset, self.options.request('test'))
            raise


def run(options: RunOptions) -> Evaluation | None:
    """Evaluates `checkpoint`, or else follows the training in `summary_dir`.

    Returns:
      The last evaluation; None if a training that is followed wrote no checkpoint in time.

    Raises:
      UserError, input_data.DataError, models.ModelError, models.hparams.HParamsError,
      models.checkpoint.CheckpointError, OSError: for whatever is wrong with options or files.
    """
    if not options.data_dir:
        raise UserError('--data_dir is needed to evaluate')
    if not options.checkpoint and not options.summary_dir:
        raise UserError('--checkpoint or --summary_dir is needed to evaluate')
    if options.num_trials > 1 and '{}' not in (options.checkpoint or ''):
        raise UserError(
            f'--num_trials={options.num_trials} needs a --checkpoint with {{}} for the number of '
            f'the trial, found {options.checkpoint!r}'
        )
    if options.figures and not options.summary_dir:
        raise UserError('--figures needs --summary_dir: PNGs go to its test/figures')
    if options.report and not options.summary_dir:
        raise UserError('--report needs --summary_dir: the page goes to its test/report.html')
    if options.summary_dir:
        files.check_directory(f'--summary_dir={options.summary_dir}', options.test_dir)
        run_config.read(options.summary_dir)  # a foreign one is told of before the work
    if options.predictions:
        files.check_file(f'--predictions={options.predictions}', options.predictions)
    if options.report and options.num_trials > 1:
        raise UserError(f'--report: found --num_trials={options.num_trials}, expected one network')
    members = ensemble.members(options.checkpoint, options.num_trials)
    session = _open(options)
    if len(members) > 1:
        evaluation = ensemble.evaluate(session, members)
        _write_config(session)
    elif members:
        step, evaluation = session.evaluate(members[0])
        _record(session, members[0], step, evaluation)
    else:
        evaluation = _follow(session)
    if evaluation is not None:
        if options.predictions:
            results.write_predictions(options.predictions, evaluation)
            print(f'Predictions {options.predictions}')
        if options.figures:
            # Lazily: Matplotlib takes a second to import.
            from jobs.visualization import figures

            model = session.model if len(members) <= 1 else None
            figures.write(options.summary_dir, evaluation, session.batches, model)
        if options.report:
            from jobs.visualization import report

            step = int(session.model.step.numpy())
            path = members[0] if members else checkpoint.path_of(options.train_dir, step)
            page = report.write(options, session.model, session.batches, evaluation, path)
            print(f'Report {page}')
        print(evaluation.line())
    return evaluation


def _open(options: RunOptions) -> Session:
    """Data, model and what they say about themselves."""
    hparams = HParams.parse(options.hparams_override)
    devices.prepare(options.gpu_memory_limit_mb, options.mixed_precision)
    devices.seed_everything(options.seed or 0)
    batches, info = input_data.inputs(options.dataset, options.request('test'))
    model = build_model(options.model, hparams, info)
    print(f'Total number of parameters: {model.count_params()}')
    if options.eval_size and options.eval_size > info.num_examples:
        print(f'--eval_size={options.eval_size}: there are only {info.num_examples} examples')
    size = f'{info.height}x{info.width}x{info.depth}'
    print(f'{info.num_examples} examples of {size} {info.note}'.strip())
    return Session(options, model, Scorer(model, batches), batches)


def _write_config(session: Session) -> None:
    """Keeps what the run was started with, unless a training did; not for one that failed."""
    options, model = session.options, session.model
    if not options.summary_dir:
        return
    old_config = run_config.read(options.summary_dir)
    if old_config is None or old_config['job'] != 'train':
        flags, seed = dataclasses.asdict(options), options.seed or 0
        config = run_config.make('evaluate', flags, model.hparams, seed, model.info)
        run_config.write(options.summary_dir, config)


def _record(session: Session, path: str, step: int, evaluation: Evaluation) -> None:
    options = session.options
    _write_config(session)
    print(
        f'{path}: {evaluation.num_wrong} of {evaluation.num_examples} wrong '
        f'({evaluation.wrong_percent:g} %), loss {evaluation.loss:.5f}',
        flush=True,
    )
    if options.summary_dir:
        best = results.record(options.test_dir, path, step, evaluation)
        if best['step'] != step:
            print(f'Best so far: {best["wrong_percent"]:g} % wrong at step {best["step"]}')


def _follow(session: Session) -> Evaluation | None:
    """Evaluates the newest checkpoint and every newer one, until training is over."""
    options, evaluation = session.options, None
    for path in _new_checkpoints(options):
        try:
            step, evaluation = session.evaluate(path)
        except CheckpointError as error:
            # Training may remove or replace a checkpoint at any moment; the next one will do.
            print(printable(f'Skipped: {error}'), flush=True)
            continue
        _record(session, path, step, evaluation)
    if evaluation is None:
        raise UserError(
            f'--summary_dir={options.summary_dir}: no checkpoint that can be read appeared in '
            f'{options.train_dir} within {options.eval_timeout_secs} s (--eval_timeout_secs)'
        )
    return evaluation


def _new_checkpoints(options: RunOptions) -> Iterator[str]:
    """The newest checkpoint of the training, again and again as there is a newer one."""
    news = time.monotonic()
    waits, newest = False, None

    def is_finished() -> bool:
        return os.path.exists(run_config.finished_path(options.summary_dir))

    while True:
        # Asked first: this is written after the last checkpoint, which is then found below.
        finished = is_finished()
        path = checkpoint.latest(options.train_dir)
        if path not in (None, newest):
            started, newest = time.monotonic(), path
            yield path
            news, waits = time.monotonic(), False
            while time.monotonic() - started < options.eval_interval_secs and not is_finished():
                time.sleep(0.1)
            continue
        waited = time.monotonic() - news
        if finished or waited >= options.eval_timeout_secs:
            return
        if not waits:
            waits = True
            print(
                f'Waiting for a new checkpoint in {options.train_dir}, at most '
                f'{options.eval_timeout_secs} s (--eval_timeout_secs)',
                flush=True,
            )
        time.sleep(min(1, options.eval_timeout_secs - waited))
