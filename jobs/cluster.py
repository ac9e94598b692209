"""Which workers train together, as TF_CONFIG says it."""

import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from common.errors import UserError

HIGHEST_PORT = 2**16 - 1


class Cluster(NamedTuple):
    """The workers of a cluster; the first is its chief."""

    workers: Sequence[str]  # HOST:PORT of each
    rank: int  # of this process among them

    @property
    def others(self) -> list[str]:
        """HOST:PORT of all workers but this process."""
        return [*self.workers[: self.rank], *self.workers[self.rank + 1 :]]


def read_cluster() -> Cluster | None:
    """What TF_CONFIG says; None where it is not set.

    Raises:
      UserError: naming what in it cannot be.
    """
    text = os.environ.get('TF_CONFIG')
    if not text:
        return None
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(f'{text:.80} ({error})', 'JSON with cluster.worker and task')
    config = config if isinstance(config, dict) else {}
    workers = _check_workers(config.get('cluster'))
    return Cluster(workers, _check_task(config.get('task'), len(workers)))


def _check_workers(jobs: Any) -> list[str]:
    if not isinstance(jobs, dict) or 'worker' not in jobs:
        _refuse(f'cluster={jobs!r}', 'JSON with cluster.worker, a list of HOST:PORT')
    workers = jobs['worker']
    if not isinstance(workers, list) or not workers:
        _refuse(f'cluster.worker={workers!r}', 'a list of HOST:PORT')
    if len(jobs) > 1:
        _refuse(f'cluster with {", ".join(sorted(jobs))}', 'worker alone, whose first is the chief')
    for address in workers:
        if not _is_address(address):
            _refuse(f'the worker {address!r}', f'HOST:PORT, with a port of 1 to {HIGHEST_PORT}')
        if workers.count(address) > 1:
            _refuse(f'the worker {address} twice', 'an address for each')
    return workers


def _is_address(found: Any) -> bool:
    host, _, port = found.rpartition(':') if isinstance(found, str) else ('', '', '')
    return bool(host) and port.isdecimal() and 0 < int(port) <= HIGHEST_PORT


def _check_task(task: Any, num_workers: int) -> int:
    """The task's index."""
    if not isinstance(task, dict) or task.get('type') != 'worker':
        _refuse(f'task={task!r}', '{"type": "worker", "index": NUMBER}')
    index = task.get('index')
    if type(index) is not int or not 0 <= index < num_workers:
        _refuse(f'task.index={index!r}', f'0 to {num_workers - 1}, a place in cluster.worker')
    return index


def _refuse(found: str, expected: str) -> NoReturn:
    raise UserError(f'TF_CONFIG: found {found}; expected {expected}')
