"""Files that are there whole or not at all: the one way in which anything here is written."""

import contextlib
import errno
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import threading
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from common.errors import UserError


def check_directory(flag: str, path: str | pathlib.Path) -> None:
    """Raises UserError unless files could be written into a directory, which need not be there.

    The message names the flag that leads to it, given as --NAME=VALUE.
    """
    nearest = pathlib.Path(path)
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UserError(f'{flag}: found {nearest}, which is no directory; expected a directory')
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f'{flag}: {nearest} is read-only; expected a directory to write to')


def check_archive(flag: str, path: str | pathlib.Path, names: Collection[str]) -> None:
    """As `check_directory`, for an .npz: it is new, or takes the place of one with these arrays."""
    if os.path.lexists(path) and (found := _describe_foreign(path, names)):
        raise UserError(
            f'{flag}: found {found}, which is not overwritten; expected no file, or an .npz of '
            f'{", ".join(names)}'
        )
    check_directory(flag, pathlib.Path(path).parent)


@contextlib.contextmanager
def replacing(*paths: str | pathlib.Path) -> Iterator[list[pathlib.Path]]:
    """Gives empty files to write to, which become `paths` together once the block has ended well.

    They lie, hidden, beside their targets (renaming is atomic only inside one file system), whose
    folders are made. Any exception removes them and leaves existing targets as they were. Several
    targets cannot change at one moment: while they do, the last one is absent, so that whoever
    reads them then, or after a kill, misses it and never takes old files with new ones.

    Raises:
      OSError: if they cannot be written; it names one of `paths`.
    """
    targets = [pathlib.Path(path) for path in paths]
    for target in targets:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    for folder in {target.parent for target in targets}:
        folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)
    temporary = [_temporary_path(target) for target in targets]
    try:
        for path in temporary:
            path.write_bytes(b'')
        yield temporary
        with _undisturbed():
            if len(targets) > 1 and os.path.lexists(targets[-1]):
                os.remove(targets[-1])
            for source, target in zip(temporary, targets, strict=True):
                os.replace(source, target)
    except OSError as error:
        # A full disk is found while writing, where the system does not say to which file.
        names = dict(zip(map(str, temporary), map(str, targets), strict=True))
        found = str(error.filename or temporary[0])
        error.filename = names.get(found, found)
        raise
    finally:
        for path in temporary:
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def temporary_folder(target: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """An empty, hidden folder beside `target`; what was not renamed goes when the block ends.

    Raises:
      OSError: if it cannot be made; it names `target`.
    """
    folder = _temporary_path(pathlib.Path(target))
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent)
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier process of the same number
    try:
        folder.mkdir()
    except OSError as error:  # such as of a name that is too long with what is added to it
        error.filename = str(target)
        raise
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(directory: str | pathlib.Path) -> None:
    """Removes what killed processes of this host left unfinished directly inside a directory."""
    ours = re.compile(rf'\..+\.{re.escape(socket.gethostname())}-(\d+)\.partial')
    for path in pathlib.Path(directory).glob('.*.partial'):
        writer = ours.fullmatch(path.name)
        can_tell = os.path.exists('/proc/self')
        if writer and can_tell and not os.path.exists(f'/proc/{writer[1]}'):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_json(path: str | pathlib.Path, content: Any) -> None:
    """Writes JSON, whole or not at all; makes the directory."""
    with replacing(path) as [temporary]:
        temporary.write_text(json.dumps(content, indent=2) + '\n')


def write_arrays(path: str | pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a compressed .npz, whole or not at all; makes the directory."""
    # Not straight to the file: on a full disk the archive would complain once more when it goes.
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)  # type: ignore[arg-type]  # its other argument's
    with replacing(path) as [temporary]:
        temporary.write_bytes(archive.getbuffer())


def _temporary_path(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f'.{target.name}.{socket.gethostname()}-{os.getpid()}.partial')


def _describe_foreign(path: str | pathlib.Path, names: Collection[str]) -> str:
    """What there is in place of an .npz of these arrays and nothing else; '' if it is one."""
    mode = os.lstat(path).st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: 'a directory', stat.S_IFLNK: 'a link'}
        return kinds.get(stat.S_IFMT(mode), 'a device')
    damage = OSError, ValueError, NotImplementedError, zipfile.BadZipFile
    with contextlib.suppress(*damage), zipfile.ZipFile(path) as archive:
        if sorted(archive.namelist()) == sorted(f'{name}.npy' for name in names):
            return ''
    return 'a file of another kind'


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Lets SIGINT and SIGTERM wait until the block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled elsewhere
        return
    arrived: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for caught in arrived:
            signal.raise_signal(caught)
