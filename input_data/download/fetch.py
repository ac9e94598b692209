"""Moves files from where they are to a folder, trusting nobody: downloads and archives.

A connection that is refused or hangs is given up within seconds. Archives are not unpacked by
the paths they hold: named members are copied out, and only regular files of a bounded size.
"""

import gzip
import hashlib
import os
import queue
import shutil
import subprocess
import tarfile
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import IO

import tqdm

from input_data.errors import DataError

OPEN_SECONDS = 4  # until an address must have answered
STALL_SECONDS = 10  # without a byte after that
MAX_BYTES = 256 << 20  # of any one file, fetched or unpacked

_PIECE_BYTES = 1 << 18
_GZIP_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
# What tarfile raises for damaged archives, depending on what it stumbles over.
_TAR_ERRORS = (*_GZIP_ERRORS, tarfile.TarError, ValueError, LookupError, RecursionError)


def download(address: str, path: str) -> None:
    """Fetches one address into a file, with a progress bar.

    Raises:
      DataError: no answer within OPEN_SECONDS, no byte for STALL_SECONDS, an error status, an
        answer that is cut short or larger than MAX_BYTES.
    """
    name = address.rsplit('/', 1)[-1]
    try:
        with _opened(address) as answer, open(path, 'wb', buffering=0) as file:
            length = answer.headers.get('Content-Length', '')
            total = int(length) if length.isdecimal() and len(length) < 20 else None
            with tqdm.tqdm(
                total=total, desc=name, unit='B', unit_scale=True, unit_divisor=1024, disable=None
            ) as bar:
                size = _copy(answer, file, address, bar.update)
    except urllib.error.HTTPError as error:
        raise DataError(f'{address}: {error}') from error
    except DataError:
        raise
    except (OSError, HTTPException, ValueError) as error:  # ValueError: of a wrong address
        if getattr(error, 'filename', None) is not None:  # ours, which no other address mends
            raise
        # What urllib wraps says it better than the wrapper.
        raise DataError(f'{address}: {getattr(error, "reason", error)}') from error
    if total is not None and size != total:
        raise DataError(f'{address}: found {size} bytes; expected {total}')


def unpack(archive: str, source: str, names: Sequence[str], folder: str) -> None:
    """Copies members `source`/NAME of a compressed tar archive to `folder`/NAME.

    Raises:
      DataError: the archive is damaged, larger than MAX_BYTES uncompressed, or a member is absent
        or no regular file (a link, a device).
    """
    what = os.path.basename(archive)
    wanted = {os.path.normpath(f'{source}/{name}'): name for name in names}
    try:
        with (
            gzip.open(archive) as packed,
            tarfile.open(fileobj=_Bounded(packed, what), mode='r|') as tar,
        ):
            for member in tar:
                name = wanted.pop(os.path.normpath(member.name), None)
                if name is None:
                    continue
                if not member.isreg():
                    raise DataError(f'{what}: found {member.name} to be no regular file')
                with tar.extractfile(member) as content:
                    _write(content, os.path.join(folder, name), f'{what}: {name}')
    except DataError:
        raise
    except _TAR_ERRORS as error:
        raise DataError(f'{what}: found a damaged archive ({error})') from error
    if wanted:
        raise DataError(f'{what}: found no {", ".join(wanted)}')


def gunzip(packed: str, path: str) -> None:
    """Uncompresses a gzip file into another.

    Raises:
      DataError: the file is damaged, or larger than MAX_BYTES uncompressed.
    """
    what = os.path.basename(packed)
    try:
        with gzip.open(packed) as content:
            _write(content, path, what)
    except _GZIP_ERRORS as error:
        raise DataError(f'{what}: found damaged gzip data ({error})') from error


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


def sha256_of(path: str) -> str:
    """SHA-256 of a file's content, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _opened(address: str):
    """The answer of an address, its headers read."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(address, timeout=STALL_SECONDS))
        except Exception as error:
            answers.put(error)

    # A socket's time limit covers neither the name look-up nor several addresses of one name.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=OPEN_SECONDS)
    except queue.Empty:
        raise DataError(f'{address}: no answer within {OPEN_SECONDS} s') from None
    if isinstance(answer, Exception):
        raise answer
    return answer


class _Bounded:
    """An archive that is given up after MAX_BYTES, or after as many reads as they would take.

    A header may have tarfile skip more than there is: it reads on, however often it gets nothing.
    """

    def __init__(self, archive: IO[bytes], what: str):
        self._archive = archive
        self._what = what
        self._left = MAX_BYTES

    def read(self, size: int) -> bytes:
        piece = self._archive.read(size)
        self._left -= max(tarfile.BLOCKSIZE, len(piece))
        if self._left < 0:
            raise DataError(f'{self._what}: found more than {MAX_BYTES} bytes; expected fewer')
        return piece


def _write(content: IO[bytes], path: str, what: str) -> None:
    with open(path, 'wb', buffering=0) as file:
        _copy(content, file, what, lambda _: None)


def _copy(content: IO[bytes], file: IO[bytes], what: str, report: Callable[[int], None]) -> int:
    size = 0
    while piece := content.read(_PIECE_BYTES):
        size += len(piece)
        if size > MAX_BYTES:
            raise DataError(f'{what}: found more than {MAX_BYTES} bytes; expected fewer')
        try:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, file.name) from error
        report(len(piece))
    return size
