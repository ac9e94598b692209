"""Programs that write data files, killed at any moment; see `robustness.faults`."""

import contextlib
import gzip
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pooch

from input_data.download.fetch_test import serving
from input_data.errors import DataError
from input_data.mnist import testing
from input_data.records.paths import resolve
from jobs.testing import ROOT

NAME = 'multitrain_2shifted_mnist.tfrecords'
SHARDS = 9
FILE_BYTES = 20 << 20
MNIST_SHIFT = 'from input_data.mnist import mnist_shift as program'
DOWNLOAD = """
from input_data.download import __main__ as program
from input_data.download import sources
from input_data.download.ways import Way, fetch_gzips
sources.RAW_SETS['mnist'] = sources.RawSet('', {files}, (Way(fetch_gzips, '{address}'),))
"""
# Runs a program and kills it just before one of its renamings and removals; -1: before none.
RUN = """
import os, signal, sys
left = {changes}
def counted(change):
    def change_or_die(*arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return change(*arguments)
    return change_or_die
{program}
os.replace, os.remove = counted(os.replace), counted(os.remove)
sys.exit(program.run())
"""


def start(program: str, *arguments: str, changes: int = -1) -> subprocess.Popen:
    """Starts a program, which dies before its renaming or removal number `changes`."""
    return subprocess.Popen(
        [sys.executable, '-c', RUN.format(program=program, changes=changes), *arguments],
        cwd=ROOT,
        env={**os.environ, 'no_proxy': '*'},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    """Waits for a process; what is wrong with its end, or ''."""
    _, errors = process.communicate(timeout=120)
    return f'exit status {process.returncode}: {errors}' if process.returncode or errors else ''


def contents(folder: pathlib.Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, hidden ones too; '' for folders."""
    return {
        path.name: pooch.file_hash(str(path)) if path.is_file() else '' for path in folder.iterdir()
    }


class Shards:
    """A set of record files in shards, an older one of the same names, and how to make both."""

    def __init__(self, folder: pathlib.Path):
        testing.write_raw(str(folder), {'train': 300}, size=(14, 14))
        self.raw = folder
        self.old, self.new = folder / 'old', folder / 'new'
        for target, seed in ((self.old, 1), (self.new, 0)):
            started = time.monotonic()
            wrong = finish(self.start(target, seed=seed))
            self.seconds = time.monotonic() - started
            if wrong:
                raise RuntimeError(f'the undisturbed run: {wrong}')

    def start(self, target: pathlib.Path, seed: int = 0, changes: int = -1) -> subprocess.Popen:
        flags = dict(data_dir=self.raw, output_dir=target, seed=seed, num_workers=2)
        flags.update(multi_targets='true', num_pairs=150, max_shard=45_000 // SHARDS)
        arguments = [f'--{name}={value}' for name, value in flags.items()]
        return start(MNIST_SHIFT, *arguments, changes=changes)

    def damage(self, target: pathlib.Path) -> str:
        """What is wrong with what a reader gets by now; '' if it is one set or a refusal."""
        try:
            paths = resolve(str(target), [NAME])
        except DataError:
            return ''
        found = {os.path.basename(path): pooch.file_hash(path) for path in paths}
        return '' if found in (contents(self.old), contents(self.new)) else 'old shards with new'

    def go_on(self, target: pathlib.Path) -> str:
        """Gives the same command again; what is wrong with what it ends with, or ''."""
        wrong = finish(self.start(target))
        if wrong:
            return f'going on: {wrong}'
        return '' if contents(target) == contents(self.new) else 'other files in the end'


class Fetched:
    """Raw files behind an address of this machine, and the program that fetches them."""

    def __init__(self, folder: pathlib.Path, address: str):
        origin = folder / 'origin'
        self.expected = {}
        for number in range(3):
            content = random.Random(number).randbytes(FILE_BYTES)
            (origin / f'file{number}.gz').write_bytes(gzip.compress(content, 1))
            path = folder / f'file{number}'
            path.write_bytes(content)
            self.expected[path.name] = pooch.file_hash(str(path))
        self.program = DOWNLOAD.format(files=self.expected, address=address)
        started = time.monotonic()
        wrong = self.go_on(folder / 'undisturbed')
        self.seconds = time.monotonic() - started
        if wrong:
            raise RuntimeError(f'the undisturbed run: {wrong}')

    def start(self, target: pathlib.Path, changes: int = -1) -> subprocess.Popen:
        return start(self.program, f'--data_dir={target}', changes=changes)

    def damage(self, target: pathlib.Path) -> str:
        """What is wrong with the files that are there by now, or ''."""
        found = contents(target) if target.exists() else {}
        wrong = [n for n, digest in self.expected.items() if found.get(n, digest) != digest]
        return f'half a file: {wrong}' if wrong else ''

    def go_on(self, target: pathlib.Path) -> str:
        """Gives the same command again; what is wrong with what it ends with, or ''."""
        wrong = finish(self.start(target))
        if wrong:
            return f'going on: {wrong}'
        return '' if contents(target) == self.expected else f'in the end: {os.listdir(target)}'


@contextlib.contextmanager
def fetching(folder: pathlib.Path) -> Iterator[Fetched]:
    (folder / 'origin').mkdir()
    with serving(str(folder / 'origin')) as address:
        yield Fetched(folder, address)


def killed_in_mnist_shift(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """SIGKILL at any moment, and every second time while finished shards get their names."""
    shards = Shards(folder)
    for moment in range(moments):
        target = folder / f'run{moment}'
        if draw.random() < 0.7:
            shutil.copytree(shards.old, target)
        if moment % 2:
            process = shards.start(target, changes=draw.randint(0, SHARDS))
        else:
            process = shards.start(target)
            time.sleep(draw.uniform(0, shards.seconds))
            process.kill()
        process.communicate()
        yield shards.damage(target) or shards.go_on(target) if target.exists() else ''
        shutil.rmtree(target, ignore_errors=True)


def killed_in_download(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """SIGKILL at any moment, and every third time while fetched files get their names."""
    with fetching(folder) as fetched:
        for moment in range(moments):
            target = folder / f'run{moment}'
            if moment % 3 == 0:
                process = fetched.start(target, changes=draw.randint(0, 2))
            else:
                process = fetched.start(target)
                time.sleep(draw.uniform(0, fetched.seconds))
                process.kill()
            process.communicate()
            yield fetched.damage(target) or fetched.go_on(target)
            shutil.rmtree(target)
