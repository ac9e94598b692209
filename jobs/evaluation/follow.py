"""Evaluates the checkpoints of a training as they come."""

import os
import time
from typing import NamedTuple

from common import lock
from common.errors import UserError, printable
from jobs.evaluation.adopt import adopt_training
from jobs.evaluation.scoring import Evaluation
from jobs.evaluation.session import Session, open_session
from jobs.options import RunOptions
from models import checkpoint
from models.checkpoint import CheckpointError, MismatchError

SECONDS_BETWEEN_LOOKS = 1


class _File(NamedTuple):
    """A checkpoint as it was looked at; a training that goes on from before it writes it anew."""

    step: int
    written: float  # time


def follow_training(session: Session, options: RunOptions) -> tuple[Session, Evaluation]:
    """Evaluates the newest checkpoint of the run and every newer one, until training is over.

    Training is over when it has written its last step or runs no more; with `validate`, when it
    runs no more for `eval_interval_secs`. One that never was is waited for, `eval_timeout_secs` at
    most, as is the next checkpoint of one that runs.

    Args:
      session: of what is known of the training by now.
      options: as they were given.

    Returns:
      The session, of the network that was trained should that be known only later; and the
      last evaluation.

    Raises:
      UserError: if there was no checkpoint that can be read.
    """
    follower = _Follower(session, options)
    while (file := follower.wait()) is not None:
        follower.evaluate(file)
    if follower.evaluation is None:
        run = options.run
        raise UserError(
            f'--summary_dir={run.folder}: no checkpoint that can be read appeared in '
            f'{run.train_dir} within {follower.seconds_waited:.0f} s ({follower.reason})'
        )
    return follower.session, follower.evaluation


class _Follower:
    """What has been seen of a training."""

    def __init__(self, session: Session, options: RunOptions):
        self.session = session
        self.evaluation: Evaluation | None = None
        self.seconds_waited = 0.0  # since there was news
        self.reason = ''  # why there is nothing more to wait for
        self._run, self._options = options.run, options
        self._knows_training = bool(self._run.training_config)
        self._seen: set[_File] = set()  # evaluated, passed over, or older than that
        self._dead_since: float | None = None  # when the training was first seen not to run

    def wait(self) -> _File | None:
        """The newest checkpoint not seen yet; None when there is nothing more to wait for."""
        since, told = time.monotonic(), False
        while True:
            # Asked first: a training ends after its last checkpoint, which is then found below.
            self.reason = self._why_over(time.monotonic() - since)
            newer = [file for file in self._list_files() if file not in self._seen]
            self.seconds_waited = time.monotonic() - since
            if newer:
                return newer[-1]
            if self.reason:
                return None
            if not told:
                told = True
                print(
                    f'Waiting for a new checkpoint in {self._run.train_dir}, at most '
                    f'{self._options.eval_timeout_secs} s (--eval_timeout_secs)',
                    flush=True,
                )
            left = self._options.eval_timeout_secs - self.seconds_waited
            time.sleep(max(0, min(SECONDS_BETWEEN_LOOKS, left)))

    def evaluate(self, file: _File) -> None:
        """Evaluates a checkpoint, or says why it is passed over."""
        started = time.monotonic()
        self._seen.add(file)
        self._meet_training()
        path = checkpoint.path_of(self._run.train_dir, file.step)
        try:
            checkpoint.check_name(path)
            step, self.evaluation = self.session.evaluate(path)
        except MismatchError:
            raise
        except CheckpointError as error:
            # Damaged, or removed by the training a moment ago; the one before will do.
            print(printable(f'Skipped: {error}'), flush=True)
            return
        self._seen.update(older for older in self._list_files() if older.step < file.step)
        self.session.record(path, step, self.evaluation)
        until = started + self._options.eval_interval_secs
        while time.monotonic() < until and not self._why_over(0):
            time.sleep(0.1)

    def _why_over(self, waited: float) -> str:
        """Why there will be no newer checkpoint; empty while there may be."""
        if os.path.exists(self._run.finished_path):
            return 'the training is finished'
        now = time.monotonic()
        if lock.is_held(self._run.folder):
            self._dead_since = None
        elif self._list_files() or (self._run.read_config() and self._run.training_config):
            # Beside a validation job, a training may be stopped and started again.
            grace = self._options.eval_interval_secs if self._options.validate else 0
            self._dead_since = self._dead_since or now
            if now - self._dead_since >= grace:
                return 'no training runs there'
        return '--eval_timeout_secs' if waited >= self._options.eval_timeout_secs else ''

    def _meet_training(self) -> None:
        """Takes on what a training says of itself that was not there at first."""
        if self._knows_training or not self._run.read_config() or not self._run.training_config:
            return
        self._knows_training = True
        adopted = adopt_training(self._options)
        if adopted != (self.session.options, self.session.model.hparams):
            self.session = open_session(*adopted)

    def _list_files(self) -> list[_File]:
        """The checkpoints there are, the newest last."""
        files = []
        for step in checkpoint.steps(self._run.train_dir):
            path = f'{checkpoint.path_of(self._run.train_dir, step)}.index'
            if os.path.exists(path):
                files.append(_File(step, os.path.getmtime(path)))
        return files
