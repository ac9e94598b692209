"""Files that are replaced whole or not at all."""

import contextlib
import errno
import glob
import os
import signal
import threading
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def replacing(paths: Sequence[str]) -> Iterator[list[str]]:
    """Gives names to write to, which become `paths` together once the block has ended well.

    The temporary files start empty whatever a killed run left there, lie beside their targets
    (renaming is atomic only inside one file system) and are hidden, so that no glob for records
    finds half a file. Any exception removes them and leaves existing targets as they were.
    Several targets cannot change at one moment: while they do, the last one is absent, so that
    whoever reads them then, or after a kill, misses it and never takes old files with new ones.

    Yields:
      One temporary path for each of `paths`.
    """
    temporary = [
        os.path.join(os.path.dirname(path), f'.{os.path.basename(path)}.partial') for path in paths
    ]
    for path in paths:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    try:
        for path in temporary:
            open(path, 'wb').close()
        yield temporary
        with _undisturbed():
            if len(paths) > 1 and os.path.lexists(paths[-1]):
                os.remove(paths[-1])
            for source, target in zip(temporary, paths, strict=True):
                os.replace(source, target)
    except BaseException as error:
        for path in temporary:
            with contextlib.suppress(OSError):
                os.remove(path)
        if isinstance(error, OSError):
            # A full disk is found while writing, where the system does not say to which file.
            error.filename = error.filename or paths[0]
        raise


def remove_partial(folder: str, name: str) -> None:
    """Removes what a killed run left of `replacing` a file of this name, or shards of it."""
    for path in glob.glob(os.path.join(glob.escape(folder), f'.{glob.escape(name)}*.partial')):
        os.remove(path)


def has_ended(process: str) -> bool:
    """Whether a process of this number is known to run no more; False where none can be looked up.

    What it has left half written may then go.
    """
    return os.path.exists('/proc/self') and not os.path.exists(f'/proc/{process}')


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
        for number in arrived:
            signal.raise_signal(number)
