"""One writer at a time in a folder."""

import contextlib
import datetime
import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Iterator

import filelock

from common import files
from common.errors import UserError

LOCK, HOLDER = '.writer.lock', '.writer.json'
# For what a killed writer started to end too, and to say who holds a folder that was just taken.
_PATIENCE_SECONDS = 1
SILENCE_SECONDS = 300  # after which a writer on another machine is taken to have ended


@contextlib.contextmanager
def hold_folder(flag: str, folder: str | pathlib.Path) -> Iterator[None]:
    """Keeps other writers out of a folder; those that do not hold it, as readers, are not hindered.

    The system lets go of it when this process ends, by whatever. A folder that was not there is
    made, and goes again if nothing was written; what killed writers left in it goes. The flag that
    leads to it, --NAME=VALUE, is for the message.

    Raises:
      UserError: another writer holds it; the line says who, and since when.
      OSError: it cannot be made or written.
    """
    folder = pathlib.Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK, timeout=_PATIENCE_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UserError(f'{flag}: found {_describe_holder(folder)}; expected no other') from None
    try:
        files.remove_abandoned(folder)  # which may take the room that is needed now
        # On a full disk, what this is for says so better.
        with contextlib.suppress(OSError):
            process = {
                'program': os.path.basename(sys.argv[0]),
                'process': os.getpid(),
                'host': socket.gethostname(),
                'since': datetime.datetime.now().astimezone().isoformat(' ', 'seconds'),
            }
            files.write_json(folder / HOLDER, process)
        yield
    finally:
        # While it is held: whoever opened it meanwhile finds that it has no name, and tries again.
        for name in (HOLDER, LOCK):
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        lock.release()
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def is_held(folder: str | pathlib.Path) -> bool:
    """Whether a writer holds a folder.

    Where the lock of another machine cannot be seen, it does as long as it gives signs of life.
    """
    path = pathlib.Path(folder) / HOLDER
    try:
        holder, seconds = json.loads(path.read_bytes()), time.time() - path.stat().st_mtime
        if holder['host'] != socket.gethostname() and seconds < SILENCE_SECONDS:
            return True
    except (OSError, ValueError, TypeError, KeyError):
        pass  # what is left is the lock
    if not path.with_name(LOCK).exists():
        return False
    try:
        with filelock.FileLock(path.with_name(LOCK), timeout=0):
            return False
    except filelock.Timeout:
        return True


def show_life(folder: str | pathlib.Path) -> None:
    """A sign of life, to be given every minute or so by who holds a folder for long."""
    with contextlib.suppress(OSError):
        os.utime(pathlib.Path(folder) / HOLDER)


def _describe_holder(folder: pathlib.Path) -> str:
    try:
        holder = json.loads((folder / HOLDER).read_text('utf-8'))
        process = f'{holder["program"]} (process {holder["process"]} on {holder["host"]})'
        return f'{process} writing there since {holder["since"]}'
    except (OSError, ValueError, TypeError, KeyError):
        return 'another process writing there'
