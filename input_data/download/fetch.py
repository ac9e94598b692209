"""Moves files from where they are to a folder, trusting nobody: downloads and archives.

An address that does not answer or answers at a crawl is given up within seconds. Archives are not
unpacked by the paths they hold: only members that were asked for are copied out, and only regular
files of a bounded size.
"""

import gzip
import os
import shutil
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import IO

import pooch

from input_data.errors import DataError

OPEN_SECONDS = 4  # until an address must have taken the connection
STALL_SECONDS = 10  # in which LEAST_BYTES must come, from the first look-up of the address on
LEAST_BYTES = 1 << 16
MAX_BYTES = 256 << 20  # of any one file, fetched or unpacked

_PIECE_BYTES = 1 << 14
_GZIP_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
# What tarfile raises for damaged archives, depending on what it stumbles over.
_TAR_ERRORS = (*_GZIP_ERRORS, tarfile.TarError, ValueError, LookupError, RecursionError)


def download(address: str, path: str, most_bytes: int = MAX_BYTES) -> None:
    """Fetches one address into a file, with a progress bar.

    Raises:
      DataError: no connection, an error status, fewer than LEAST_BYTES in STALL_SECONDS, or an
        answer that is cut short or larger than `most_bytes`.
      OSError: the file cannot be written.
    """
    import requests

    pooch.get_logger().setLevel('WARNING')
    folder, name = os.path.split(path)
    try:
        pooch.retrieve(address, None, name, folder, downloader=_Impatient(most_bytes))
    except DataError:
        raise
    except (requests.RequestException, ValueError) as caught:
        error: BaseException = caught
        # The libraries wrap an error in their own, several times: the first says most.
        while inner := error.__cause__ or error.__context__:
            error = inner
        raise DataError(f'{address}: {error}') from caught


def unpack(
    archive: str,
    name_of: Callable[[tarfile.TarInfo], str | None],
    folder: str,
    most_bytes: int = MAX_BYTES,
) -> list[str]:
    """Copies members of a compressed tar archive into a folder.

    Args:
      archive: its path.
      name_of: where a member goes inside `folder`; None for a member that is passed over.
      folder: where they go.
      most_bytes: that the archive may have uncompressed.

    Returns:
      The names in `folder`.

    Raises:
      DataError: the archive is damaged or too large, or a member is no regular file.
    """
    what = os.path.basename(archive)
    names: list[str] = []
    try:
        with (
            gzip.open(archive) as packed,
            tarfile.open(fileobj=_Bounded(packed, most_bytes, what), mode='r|') as tar,  # type: ignore
        ):
            for member in tar:
                name = name_of(member)
                if name is None:
                    continue
                if not member.isreg():
                    raise DataError(f'{what}: found {member.name} to be no regular file')
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with tar.extractfile(member) as content, open(path, 'wb') as file:
                    shutil.copyfileobj(content, file)
                names.append(name)
    except DataError:
        raise
    except _TAR_ERRORS as error:
        raise DataError(f'{what}: found a damaged archive ({error})') from error
    return names


def unpack_named(archive: str, source: str, names: Sequence[str], folder: str) -> None:
    """Copies members `source`/NAME to `folder`/NAME; as `unpack`, and all must be there."""
    wanted = {os.path.normpath(f'{source}/{name}'): name for name in names}
    found = unpack(archive, lambda member: wanted.get(os.path.normpath(member.name)), folder)
    missing = [path for path, name in wanted.items() if name not in found]
    if missing:
        raise DataError(f'{os.path.basename(archive)}: found no {", ".join(missing)}')


def gunzip(packed: str, path: str) -> None:
    """Uncompresses a gzip file; raises DataError if it is damaged or larger than MAX_BYTES."""
    what = os.path.basename(packed)
    try:
        with gzip.open(packed) as content, open(path, 'wb') as file:
            shutil.copyfileobj(_Bounded(content, MAX_BYTES, what), file)
    except _GZIP_ERRORS as error:
        raise DataError(f'{what}: found damaged gzip data ({error})') from error


class _Impatient(pooch.HTTPDownloader):
    """pooch's downloader, given up when less than LEAST_BYTES come in STALL_SECONDS.

    A socket's own time limit starts again with every byte, and covers neither the look-up of a
    name nor the several addresses of one: so the clock is watched from outside.
    """

    def __init__(self, most_bytes: int):
        super().__init__(
            progressbar=sys.stderr.isatty(),
            chunk_size=_PIECE_BYTES,
            timeout=(OPEN_SECONDS, 2 * STALL_SECONDS),  # for a thread that was given up
            headers={'Accept-Encoding': 'identity'},  # the bytes as they lie there
        )
        self._most_bytes = most_bytes

    def __call__(self, url, output_file, pooch, check_only=False):
        failures: list[Exception] = []
        with open(output_file, 'wb') as opened:
            file = _Bounded(opened, self._most_bytes, url)

            def copy() -> None:
                try:
                    super(_Impatient, self).__call__(url, file, pooch)
                except Exception as error:
                    failures.append(error)

            # A daemon, as one that hangs may not keep the program from its end.
            thread = threading.Thread(target=copy, daemon=True)
            thread.start()
            thread.join(STALL_SECONDS)
            before = 0
            while thread.is_alive():
                received = file.num_bytes
                if received - before < LEAST_BYTES:
                    raise DataError(
                        f'{url}: found {received - before} bytes within {STALL_SECONDS} s; '
                        f'expected {LEAST_BYTES} or more'
                    )
                before = received
                thread.join(STALL_SECONDS)
        if failures:
            raise failures[0]


class _Bounded:
    """A file of which no more than some bytes are read or written."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, most_bytes: int, what: str):
        self.num_bytes = 0
        self.flush = file.flush
        self._file, self._most_bytes, self._what = file, most_bytes, what

    def read(self, size: int = _PIECE_BYTES) -> bytes:
        piece = self._file.read(size)
        # Told to skip more than there is, tarfile reads on, however often it gets nothing.
        self._count(len(piece) or size)
        return piece

    def write(self, piece: bytes) -> int:
        self._count(len(piece))
        return self._file.write(piece)

    def _count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes
        if self.num_bytes > self._most_bytes:
            raise DataError(
                f'{self._what}: found more than {self._most_bytes} bytes; expected fewer'
            )
