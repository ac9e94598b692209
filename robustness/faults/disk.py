"""Programs that find the disk full; see `robustness.faults`."""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator

from robustness.faults import files
from robustness.faults.training import Training

PAGE = 4096
FILLER = 'filler'


class Skipped(Exception):
    """Why a fault cannot be tried here."""


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, size: int) -> Iterator[pathlib.Path]:
    """A folder that is a disk of its own.

    Raises:
      Skipped: if none can be mounted.
    """
    if os.geteuid() != 0:
        raise Skipped('only root may mount a small disk')
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f'no small disk can be mounted: {" ".join(done.stderr.split())}')
    try:
        yield folder
    finally:
        subprocess.run(['umount', str(folder)], check=True)


def leave(disk: pathlib.Path, room: int) -> None:
    """Fills a disk up to `room` bytes."""
    with contextlib.suppress(OSError), open(disk / FILLER, 'wb', buffering=0) as file:
        while (free := shutil.disk_usage(disk).free) > room:
            file.write(bytes(min(1 << 20, free - room)))


def complaint(process: subprocess.Popen, disk: pathlib.Path) -> str:
    """Waits for a process that must tell of a full disk; what is wrong with how, or ''."""
    _, errors = process.communicate(timeout=120)
    lines = errors.splitlines()
    if process.returncode <= 0:
        return f'exit status {process.returncode} on a full disk: {errors[-500:]}'
    named = len(lines) == 1 and str(disk) in lines[0]
    return '' if named and ('No space' in errors or 'bytes free' in errors) else f'told {lines}'


def full_in_training(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """No room for configuration, checkpoints or event files, or none left after some of them."""
    training = Training(folder, summary_step=1)
    need = sum(path.stat().st_size for path in (folder / 'undisturbed').rglob('*'))
    with small_disk(folder / 'disk', 2 * need) as disk:
        for moment in range(moments):
            if moment % 2:
                leave(disk, int(draw.uniform(0, 0.9) * need) // PAGE * PAGE)
                process = training.start('disk/run')
            else:
                process = training.start('disk/run')
                training.wait_for(disk / 'run' / 'train', process)
                time.sleep(draw.uniform(0, training.seconds / 2))
                leave(disk, 0)
            wrong = complaint(process, disk) or training.damage('disk/run')
            (disk / FILLER).unlink()
            yield wrong or training.go_on('disk/run')
            shutil.rmtree(disk / 'run', ignore_errors=True)


def full_in_mnist_shift(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """No room from the start, or none any more after some records."""
    shards = files.Shards(folder)
    need = sum(path.stat().st_size for path in shards.new.iterdir())
    with small_disk(folder / 'disk', 2 * need + (4 << 20)) as disk:
        for moment in range(moments):
            target = disk / 'run'
            shutil.copytree(shards.old, target)
            if moment % 2:
                leave(disk, int(draw.uniform(0, 0.9) * need) // PAGE * PAGE)
                process = shards.start(target)
            else:
                process = shards.start(target)
                while not any(target.glob('.*.partial')) and process.poll() is None:
                    time.sleep(0)
                leave(disk, 0)
            wrong = complaint(process, disk)
            if not wrong and files.contents(target) != files.contents(shards.old):
                wrong = f'other files than before: {os.listdir(target)}'
            (disk / FILLER).unlink()
            yield wrong or shards.go_on(target)
            shutil.rmtree(target)


def full_in_download(folder: pathlib.Path, moments: int, draw: random.Random) -> Iterator[str]:
    """No room for what is fetched, or for what is uncompressed."""
    with files.fetching(folder) as fetched:
        # Every file is there twice, fetched and uncompressed.
        need = 2 * len(fetched.expected) * files.FILE_BYTES
        with small_disk(folder / 'disk', need + (4 << 20)) as disk:
            for _ in range(moments):
                target = disk / 'run'
                leave(disk, int(draw.uniform(0, 0.9) * need) // PAGE * PAGE)
                wrong = complaint(fetched.start(target), disk) or fetched.damage(target)
                (disk / FILLER).unlink()
                yield wrong or fetched.go_on(target)
                shutil.rmtree(target)
