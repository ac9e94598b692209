"""Ends a worker that hangs while it connects: there TensorFlow lets neither Python nor signals in.

`with guarding(...)` runs this file as a process of its own, which imports nothing but Python's
library and kills the one that started it.
"""

import concurrent.futures
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

ANSWER_SECONDS = 2
SECONDS_BETWEEN_LOOKS = 3
MISSES = 2  # looks in a row that find a worker gone


def split_address(address: str) -> tuple[str, int]:
    """HOST:PORT -> (host, port).

    Raises:
      ValueError: the port is no number.
    """
    host, _, port = address.rpartition(':')
    return host.strip('[]'), int(port)  # an IPv6 address has brackets


def list_gone(addresses: Sequence[str]) -> list[str]:
    """Those at which nobody listens."""

    def answers(address: str) -> bool:
        try:
            socket.create_connection(split_address(address), ANSWER_SECONDS).close()
        except OSError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
        found = pool.map(answers, addresses)
        return [address for address, there in zip(addresses, found, strict=True) if not there]


def serves(address: str) -> bool:
    """Whether TensorFlow listens there: its server speaks first."""
    try:
        with socket.create_connection(split_address(address), ANSWER_SECONDS) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False


def describe_absence(gone: Sequence[str], limit: str = '') -> str:
    """A line for workers that do not answer.

    Args:
      gone: HOST:PORT of each.
      limit: how long they were waited for, in words.
    """
    return (
        f'TF_CONFIG: found no answer from {", ".join(gone)}{limit}; expected every worker to run: '
        'start all of them again, they go on from the last checkpoint'
    )


@contextlib.contextmanager
def guarding(addresses: Sequence[str], timeout_secs: int, limit: str) -> Iterator[None]:
    """Around what may hang: ends this process if a worker goes, or it takes too long.

    Ctrl-C ends it at once. A SIGTERM is lost meanwhile: TensorFlow takes it to itself.

    Args:
      addresses: HOST:PORT of the other workers.
      timeout_secs: that it may take.
      limit: the same in words.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Named, not asked for: who asks after this process has gone is told of its heir.
    arguments = [str(os.getpid()), str(timeout_secs), limit, *addresses]
    # In a session of its own Ctrl-C does not reach it: that is this process' to end by.
    process = subprocess.Popen([sys.executable, __file__, *arguments], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _guard(process: str, timeout_secs: str, limit: str, *addresses: str) -> None:
    guarded, deadline, misses = int(process), time.monotonic() + int(timeout_secs), 0
    while os.getppid() == guarded:
        gone = list_gone(addresses)
        misses = misses + 1 if gone else 0
        if misses >= MISSES or time.monotonic() >= deadline:
            message = describe_absence(gone or addresses, '' if gone else limit)
            print(f'experiment: {message}', file=sys.stderr, flush=True)
            os.kill(guarded, signal.SIGKILL)
            return
        look = time.monotonic() + SECONDS_BETWEEN_LOOKS
        while time.monotonic() < min(look, deadline) and os.getppid() == guarded:
            time.sleep(0.1)


if __name__ == '__main__':
    _guard(*sys.argv[1:])
