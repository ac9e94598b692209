"""Evaluates the checkpoints of a training as they come."""

import os
import time
from collections.abc import Iterator

from common.errors import UserError, printable
from jobs.evaluation.scoring import Evaluation
from jobs.evaluation.session import Session
from models import checkpoint
from models.checkpoint import CheckpointError


def follow_training(session: Session) -> Evaluation:
    """Evaluates the newest checkpoint of the run and every newer one, until training is over.

    Raises:
      UserError: if there was none that can be read.
    """
    options, evaluation = session.options, None
    for path in _new_checkpoints(session):
        try:
            step, evaluation = session.evaluate(path)
        except CheckpointError as error:
            # Training may remove or replace a checkpoint at any moment; the next one will do.
            print(printable(f'Skipped: {error}'), flush=True)
            continue
        session.record(path, step, evaluation)
    if evaluation is None:
        raise UserError(
            f'--summary_dir={options.summary_dir}: no checkpoint that can be read appeared in '
            f'{options.run.train_dir} within {options.eval_timeout_secs} s (--eval_timeout_secs)'
        )
    return evaluation


def _new_checkpoints(session: Session) -> Iterator[str]:
    """The newest checkpoint of the training, again and again as there is a newer one."""
    options, run = session.options, session.options.run
    news = time.monotonic()
    waits, newest = False, None
    while True:
        # Asked first: this is written after the last checkpoint, which is then found below.
        finished = os.path.exists(run.finished_path)
        path = checkpoint.latest(run.train_dir)
        if path not in (None, newest):
            started, newest = time.monotonic(), path
            yield path
            news, waits = time.monotonic(), False
            while time.monotonic() - started < options.eval_interval_secs and not os.path.exists(
                run.finished_path
            ):
                time.sleep(0.1)
            continue
        waited = time.monotonic() - news
        if finished or waited >= options.eval_timeout_secs:
            return
        if not waits:
            waits = True
            print(
                f'Waiting for a new checkpoint in {run.train_dir}, at most '
                f'{options.eval_timeout_secs} s (--eval_timeout_secs)',
                flush=True,
            )
        time.sleep(min(1, options.eval_timeout_secs - waited))
