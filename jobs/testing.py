"""Jobs for tests: in this process or in their own, watched, their results compared."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from jobs.evaluation import evaluate
from jobs.evaluation.scoring import Evaluation
from jobs.options import RunOptions
from jobs.training import train
from models import checkpoint

ROOT = pathlib.Path(__file__).parents[1]
PROGRAM = ('experiment.py',)


def make_class_folder(tests: type[unittest.TestCase]) -> str:
    """A temporary folder for all tests of a class, which goes after the last of them."""
    folder = tempfile.mkdtemp()
    tests.addClassCleanup(shutil.rmtree, folder)
    return folder


def small_options(data_dir: str, summary_dir: str, **overrides) -> RunOptions:
    """Options of a run that takes seconds; an evaluation of it waits for nothing."""
    defaults = dict(summary_step=1, batch_size=8, eval_batch_size=10, seed=5, eval_interval_secs=0)
    places = dict(data_dir=data_dir, summary_dir=summary_dir, eval_timeout_secs=0)
    return RunOptions(**{**places, **defaults, **overrides})


def run_training(options: RunOptions) -> str:
    """Trains in this process; returns what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        train.run(options)
    return printed.getvalue()


def run_evaluation(options: RunOptions) -> tuple[Evaluation, str]:
    """Evaluates in this process; returns the evaluation and what was printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        evaluation = evaluate.run(options)
    return evaluation, printed.getvalue()


def start(
    program: Sequence[str] = PROGRAM, cluster: dict | None = None, **flags
) -> subprocess.Popen:
    """Starts a program of the project with flags, on CPUs; what it prints is caught.

    Args:
      program: arguments of the Python interpreter, from the project's folder.
      cluster: what TF_CONFIG is to say.
      **flags: of the program.
    """
    environment = {**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'}
    environment.pop('TF_CPP_MIN_LOG_LEVEL', None)  # what users see of TensorFlow's messages
    if cluster:
        environment['TF_CONFIG'] = json.dumps(cluster)
    return subprocess.Popen(
        [sys.executable, *program, *(f'--{name}={value}' for name, value in flags.items())],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_cluster(summary_dirs: Sequence[str], **flags) -> list[subprocess.Popen]:
    """Starts a training on as many workers of this machine as there are directories."""
    workers = [f'127.0.0.1:{free_port()}' for _ in summary_dirs]
    return [
        start(
            cluster={'cluster': {'worker': workers}, 'task': {'type': 'worker', 'index': index}},
            summary_dir=summary_dir,
            **flags,
        )
        for index, summary_dir in enumerate(summary_dirs)
    ]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def wait_for_step(summary_dir: str, step: int, process: subprocess.Popen) -> None:
    """Waits until a training has written a checkpoint of this step or a later one.

    Raises:
      AssertionError: if the training ends before.
    """
    while not any(known >= step for known in checkpoint.steps(f'{summary_dir}/train')):
        if process.poll() is not None:
            raise AssertionError(f'the training ended early: {process.communicate()}')
        time.sleep(0.01)


def variables(summary_dir: str, step: int) -> dict[str, np.ndarray]:
    """Everything the checkpoint of a step holds, by name."""
    reader = tf.train.load_checkpoint(checkpoint.path_of(f'{summary_dir}/train', step))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def difference(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> str | None:
    """The first variable that is not the same bit for bit; None if there is none."""
    if expected.keys() != found.keys():
        return f'other variables: {sorted(expected.keys() ^ found.keys())}'
    for name, value in expected.items():
        if value.tobytes() != found[name].tobytes():
            return f'{name} differs'
    return None
