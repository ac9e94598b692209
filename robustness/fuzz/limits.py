"""What no file may do to a parser, and the check of it."""

import contextlib
import pathlib
import re
import signal
import tempfile
from collections.abc import Iterator

from common import errors

MEMORY_BYTES = 1 << 30
SECONDS = 60  # far more than any of these files takes on a busy machine


class Hangs(BaseException):
    """A parser took too long; no Exception, for a parser may catch those."""


@contextlib.contextmanager
def only(*expected: type[Exception], naming: str = '') -> Iterator[None]:
    """Lets a parser succeed or raise one of `expected`, told in one line that holds `naming`.

    What else it raises goes on, and fails the test; so does a parser that hangs or takes memory.
    """
    reset_peak()
    before = peak_bytes()
    with _time_limit():
        try:
            yield
        except expected as error:
            told = errors.explain_error(error)
            assert told and '\n' not in told, repr(error)
            assert naming in told, f'{told!r} does not name {naming}'
    grown = peak_bytes() - before
    assert grown < MEMORY_BYTES, f'took {grown >> 20} MB'


@contextlib.contextmanager
def file_of(content: bytes, name: str = 'file') -> Iterator[str]:
    """The path of a file in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(content)
        yield str(path)


def peak_bytes() -> int:
    """The most memory that this process has held since `reset_peak`; 0 where nothing tells."""
    # Not getrusage's: that begins with the peak of the process that started this one.
    with contextlib.suppress(OSError):
        status = pathlib.Path('/proc/self/status').read_text()
        return int(re.search(r'^VmHWM:\s+(\d+) kB$', status, re.MULTILINE)[1]) << 10
    return 0


def reset_peak() -> None:
    """Forgets earlier peaks, which would hide later ones; where the system cannot, they stay."""
    with contextlib.suppress(OSError), open('/proc/self/clear_refs', 'w') as file:
        file.write('5')


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_):
        raise Hangs(f'took more than {SECONDS} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
