"""A training on two workers of which one dies; see `robustness.faults`."""

import pathlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator

from jobs import startup, testing
from robustness.faults.training import Training, ended_well, kill

SECONDS = 60  # in which the other worker must have ended


class Cluster(Training):
    """A tiny training on two workers."""

    def start_workers(self, run: str) -> list[subprocess.Popen]:
        # The second worker's directory is its own, to see that it writes nothing.
        folders = [self.folder / run, self.folder / f'{run}_second']
        return testing.start_cluster(folders, **self.flags)

    def finish(self, run: str) -> str:
        return ''.join([ended_well(worker) for worker in self.start_workers(run)])


def complaint(survivor: subprocess.Popen) -> str:
    """What is wrong with how a worker ends that is alone now, or ''."""
    try:
        _, errors = survivor.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        kill(survivor)
        return f'the other worker still ran after {SECONDS} s'
    # TensorFlow 2.16 tells that workers have connected, whatever its log level.
    lines = [line for line in errors.splitlines() if not line.startswith(startup.CHATTER)]
    if survivor.returncode <= 0 or len(lines) != 1:
        return f'exit status {survivor.returncode}, told {lines}'
    return ''


def dead_worker(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """SIGKILL for one of two workers: the other one ends, and both go on together."""
    training = Cluster(folder, save_step=10, max_steps=100)
    for moment in range(-(-moments // 5)):
        run = f'run{moment}'
        workers = training.start_workers(run)
        training.wait_for(folder / run / 'train' / 'model.ckpt-10.index', workers[0])
        time.sleep(draw.uniform(0, 0.5))
        kill(workers.pop(moment % 2))
        yield complaint(workers[0]) or training.damage(run) or training.go_on(run)
        shutil.rmtree(folder / run)
