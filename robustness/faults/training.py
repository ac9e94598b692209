"""Trainings that are killed, stopped and followed; see `robustness.faults`."""

import pathlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator

from input_data import testing as records
from jobs import testing
from jobs.training.signals import StopSignals
from models import checkpoint

STEPS = 40
LEFTOVERS = ('.*.partial', '*.tempstate*')


class Training:
    """A tiny training, what it leaves when nothing disturbs it, and whether another left the same.

    Args:
      folder: for records and runs.
      **flags: of experiment.py, beside those that make it tiny.
    """

    def __init__(self, folder: pathlib.Path, **flags):
        records.write_singles(str(folder), 'train_2', count=40)
        records.write_singles(str(folder), 'test_0', count=20)
        self.folder = folder
        self.flags = dict(
            data_dir=folder,
            hparams_override='num_prime_capsules=1',
            batch_size=4,
            max_steps=STEPS,
            save_step=5,
            seed=5,
        )
        self.flags.update(flags)
        wrong = self.finish('undisturbed')
        if wrong:
            raise RuntimeError(f'the undisturbed training: {wrong}')
        started = (folder / 'undisturbed' / 'config.json').stat().st_mtime
        self.seconds = time.time() - started  # from its first file to its end
        self.expected = self.checkpoints('undisturbed')

    def start(self, run: str, **flags) -> subprocess.Popen:
        return testing.start(summary_dir=self.folder / run, **{**self.flags, **flags})

    def finish(self, run: str) -> str:
        """Trains to the end; what is wrong with how it ends, or ''."""
        return ended_well(self.start(run))

    def wait_for(self, path: pathlib.Path, process: subprocess.Popen) -> None:
        """Waits until a file is there or the process has ended."""
        while not path.exists() and process.poll() is None:
            time.sleep(0.002)

    def checkpoints(self, run: str) -> dict[int, dict]:
        """The variables of every checkpoint of a run, by step."""
        summary_dir = str(self.folder / run)
        return {
            step: testing.variables(summary_dir, step)
            for step in checkpoint.steps(f'{summary_dir}/train')
        }

    def damage(self, run: str) -> str:
        """What is wrong with the checkpoints that a run has by now; '' if nothing is."""
        for step, found in self.checkpoints(run).items():
            if step in self.expected:
                wrong = testing.difference(self.expected[step], found)
                if wrong:
                    return f'checkpoint {step}: {wrong}'
        return ''

    def go_on(self, run: str) -> str:
        """Gives the same command again; what is wrong with what it ends with, or ''."""
        wrong = self.finish(run)
        if wrong:
            return f'going on: {wrong}'
        folder = self.folder / run
        if max(checkpoint.steps(str(folder / 'train')), default=0) != self.flags['max_steps']:
            return 'the last checkpoint is absent'
        left = [path.name for pattern in LEFTOVERS for path in folder.rglob(pattern)]
        return f'left behind: {left}' if left else self.damage(run)


def ended_well(process: subprocess.Popen) -> str:
    """Waits for a process; what is wrong with its end, or ''."""
    _, errors = process.communicate(timeout=300)
    if process.returncode:
        return f'exit status {process.returncode}: {errors.strip()[-500:]}'
    return 'a traceback' if 'Traceback' in errors else ''


def kill(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()


def killed_in_training(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """SIGKILL at any moment from the first file on."""
    training = Training(folder)
    for moment in range(moments):
        run = f'run{moment}'
        process = training.start(run)
        training.wait_for(folder / run / 'config.json', process)
        time.sleep(draw.uniform(0, training.seconds))
        kill(process)
        yield training.damage(run) or training.go_on(run)
        shutil.rmtree(folder / run)


def killed_in_saving(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """SIGKILL while a checkpoint is written, just after, or while an old one is removed."""
    training = Training(folder, save_step=1, max_steps=12)
    for moment in range(moments):
        run, keep = f'run{moment}', draw.choice((0, 1, 3))
        process = training.start(run, keep_checkpoints=keep)
        target = draw.randint(1, 11)
        pattern = f'train/model.ckpt-{target}.*'
        while not any((folder / run).glob(pattern)) and process.poll() is None:
            time.sleep(0)
        time.sleep(draw.uniform(0, 0.02))
        kill(process)
        yield training.damage(run) or training.go_on(run)
        shutil.rmtree(folder / run)


def stopped(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """A signal to end while training, each in its turn: it ends by itself, with a checkpoint."""
    training = Training(folder)
    for moment in range(moments):
        run, number = f'run{moment}', StopSignals.SIGNALS[moment % len(StopSignals.SIGNALS)]
        process = training.start(run)
        training.wait_for(folder / run / 'train' / 'model.ckpt-5.index', process)
        time.sleep(draw.uniform(0, training.seconds / 2))
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
        last = max(checkpoint.steps(str(folder / run / 'train')))
        told = f'Stopped by {number.name} at step {last};' in output
        if last == STEPS or (told and process.returncode == 0):
            yield training.damage(run) or training.go_on(run)
        else:
            yield f'exit status {process.returncode}, newest checkpoint {last}: {output}{errors}'
        shutil.rmtree(folder / run)


def followed(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """A validation job reads checkpoints that a training writes and removes meanwhile."""
    training = Training(folder, save_step=1)
    for moment in range(-(-moments // 5)):
        run = f'run{moment}'
        follower = training.start(
            run, train='false', eval_interval_secs=0, eval_timeout_secs=60, eval_batch_size=5
        )
        time.sleep(draw.uniform(0, 2))
        wrong = ended_well(training.start(run, keep_checkpoints=1))
        wrong = wrong or ended_well(follower)
        lines = (folder / run / 'test' / 'results.jsonl').read_text().splitlines()
        if not wrong and f'"step": {STEPS},' not in lines[-1]:
            wrong = f'the last checkpoint was not evaluated: {lines[-1]}'
        yield wrong or training.damage(run)
        shutil.rmtree(folder / run)
