"""What libraries print past Python's own streams, caught."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


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
