"""Waits for the workers of a cluster, and ends one whose others are missing or have died.

TensorFlow would wait for ever, past every signal but SIGKILL.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, TypeVar

import tensorflow as tf

from common.errors import UserError
from jobs import guard
from jobs.cluster import Cluster

QUIET_SECONDS = 3  # of waiting, in which workers that were started together come
# What TensorFlow raises when a connection is lost, depending on what was under way.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
)
Made = TypeVar('Made')


def join_cluster(cluster: Cluster, timeout_secs: int, make: Callable[[], Made]) -> Made:
    """Waits for the other workers, then calls what connects with them.

    Args:
      cluster: whose workers to wait for.
      timeout_secs: for how long.
      make: as `tf.distribute.MultiWorkerMirroredStrategy`.

    Raises:
      UserError: another worker did not come, or this one's port is taken.
      KeyboardInterrupt: told to stop while waiting.
    """
    limit = f' within {timeout_secs} s (--cluster_timeout_secs)'
    _wait_for(cluster, time.monotonic() + timeout_secs, limit)
    with guard.guarding(cluster.others, timeout_secs, limit), watched(cluster.others):
        return make()


def _wait_for(cluster: Cluster, deadline: float, limit: str) -> None:
    """Waits until every other worker answers; they find this one at its port meanwhile.

    The chief goes ahead when all are there, and the others when its server runs: so nobody
    starts to connect who would hang.
    """
    loud, told = time.monotonic() + QUIET_SECONDS, list[str]()
    with _listen(cluster.workers[cluster.rank]) as listener:
        while gone := _list_awaited(cluster):
            if time.monotonic() >= deadline:
                raise UserError(guard.describe_absence(gone, limit))
            if time.monotonic() >= loud and gone != told:
                print(f'waiting for {", ".join(gone)},{limit}', flush=True)
                told = gone
            with contextlib.suppress(BlockingIOError):
                while True:  # those that looked for this one
                    listener.accept()[0].close()
            time.sleep(0.5)


def _list_awaited(cluster: Cluster) -> list[str]:
    gone, chief = guard.list_gone(cluster.others), cluster.workers[0]
    if not gone and cluster.rank and not guard.serves(chief):
        return [chief]
    return gone


def _listen(address: str) -> socket.socket:
    """Listens where TensorFlow will: at the port of this worker's address, on every interface."""
    try:
        listener = socket.create_server(('', guard.split_address(address)[1]))
    except OSError as error:
        raise UserError(
            f'TF_CONFIG: found {address} for this worker, {error.strerror}; '
            'expected a free port of this machine'
        ) from error
    listener.setblocking(False)
    return listener


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
        gone = guard.list_gone(addresses)
        if gone or isinstance(error, LOST):
            _leave(gone or addresses)
        raise
    finally:
        done.set()


def _watch(addresses: Sequence[str], done: threading.Event) -> None:
    misses = 0
    while not done.wait(guard.SECONDS_BETWEEN_LOOKS):
        gone = guard.list_gone(addresses)
        misses = misses + 1 if gone else 0
        if misses >= guard.MISSES and not done.is_set():
            _leave(gone)


def _leave(gone: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    print(f'experiment: {guard.describe_absence(gone)}', file=sys.stderr, flush=True)
    # Not sys.exit: TensorFlow would wait for the dead worker once more.
    os._exit(1)
