"""Standard output and standard error: closed ones, and what libraries print past Python's own."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def capture_stderr() -> Iterator[list[str]]:
    """Keeps what anything in this process writes to file descriptor 2 from being seen.

    Yields:
      Its lines, once the block has ended.
    """
    lines: list[str] = []
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            lines.extend(file.read().decode(errors='replace').splitlines())


def open_closed() -> None:
    """Opens standard streams that a program was started without, lest files get their numbers.

    Standard error then goes to standard output, and standard output nowhere.
    """
    for number, name in ((1, 'stdout'), (2, 'stderr')):
        if getattr(sys, name) is None:
            if number == 2:
                os.dup2(1, 2)
            else:
                _open_nowhere(1)
            stream = os.fdopen(number, 'w', buffering=1, errors='backslashreplace')
            setattr(sys, name, stream)


def divert_to_stderr(stream: TextIO) -> None:
    """Lets a stream that cannot be written go where standard error goes, or else nowhere."""
    try:
        os.dup2(2, stream.fileno())
        stream.flush()  # what is left in it
    except OSError:
        _open_nowhere(stream.fileno())


def _open_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
