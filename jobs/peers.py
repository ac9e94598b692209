"""Ends a worker of a cluster when another one has died: alone it would wait forever."""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NoReturn

import tensorflow as tf

SECONDS_BETWEEN_LOOKS = 3
ANSWER_SECONDS = 2
MISSES = 2  # looks in a row that find a worker gone
# What TensorFlow raises when a connection is lost, depending on what was under way.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)


@contextlib.contextmanager
def watched(addresses: Sequence[str]) -> Iterator[None]:
    """Around what workers do together: ends this process should one of the others have died.

    TensorFlow may wait on, raise one of many errors, or end the process from within; so the
    others' ports are looked at here too.

    Args:
      addresses: host:port of the other workers, as in TF_CONFIG.
    """
    if not addresses:
        yield
        return
    done = threading.Event()
    threading.Thread(target=_watch, args=(addresses, done), daemon=True).start()
    try:
        yield
    except tf.errors.OpError as error:
        gone = _gone(addresses)
        if gone or isinstance(error, LOST):
            _leave(gone or addresses)
        raise
    finally:
        done.set()


def _watch(addresses: Sequence[str], done: threading.Event) -> None:
    misses = 0
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        gone = _gone(addresses)
        misses = misses + 1 if gone else 0
        if misses >= MISSES and not done.is_set():
            _leave(gone)


def _gone(addresses: Sequence[str]) -> list[str]:
    """Those at which nobody listens."""
    gone = []
    for address in addresses:
        host, _, port = address.rpartition(':')
        try:
            socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
        except OSError:
            gone.append(address)
    return gone


def _leave(gone: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    print(
        f'experiment: TF_CONFIG: found no answer from {", ".join(gone)}; expected every worker to '
        'run: start all of them again, they go on from the last checkpoint',
        file=sys.stderr,
        flush=True,
    )
    # Not sys.exit: TensorFlow would wait for the dead worker once more.
    os._exit(1)
