"""Writes record files of many examples, by several processes.

All records of a run have one length, since only labels and pixels differ. So workers lay out
blocks of records as arrays and write each block at its place in the file: neither their number
nor their order changes a byte. TensorFlow is not needed, nor the seconds it takes to start.
"""

import functools
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tqdm

from common import files
from common.errors import UserError
from common.lock import hold_folder
from input_data.errors import DataError
from input_data.records.layout import RecordLayout

# Path, place in the file in bytes, first and last + 1 example.
Block = tuple[pathlib.Path, int, int, int]

_BLOCK_BYTES = 4 << 20
_MOST_WORKERS = 256


class Source(Protocol):
    """Examples of one size, each a function of its position."""

    count: int
    height: int
    width: int
    depth: int

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """What differs between records (see `RecordLayout`), for int64 [k]."""


class ArrayExamples:
    """A source of examples that are in memory."""

    def __init__(self, image_raw: np.ndarray, **others: np.ndarray) -> None:
        """Takes uint8 images [n, depth, height, width], and its other features [n, ...]."""
        self.count, self.depth, self.height, self.width = image_raw.shape
        self._features = {'image_raw': image_raw, **others}

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """What differs between records, for int64 [k]."""
        return {name: values[positions] for name, values in self._features.items()}


def write_records(*sets: tuple[Source, list[str]], num_workers: int = 1) -> None:
    """Writes all examples of each source to its paths: in order, in parts that differ by at most 1.

    The files, all in one folder, appear under their names, together, only when all are whole;
    until then files that were there stay. The folder is made if absent.

    Raises:
      UserError: no room on the disk, another process writes there, or a worker was killed.
      OSError: a write failed.
    """
    layouts = [
        RecordLayout(
            {'height': source.height, 'width': source.width, 'depth': source.depth},
            source.features(np.zeros(1, np.int64)),
        )
        for source, _ in sets
    ]
    sizes = [layout.record_bytes for layout in layouts]
    needed = sum(source.count * size for (source, _), size in zip(sets, sizes, strict=True))
    all_paths = [path for _, paths in sets for path in paths]
    folder = os.path.dirname(all_paths[0]) or '.'
    with hold_folder(f'--output_dir={folder}', folder):
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise DataError(
                f'{all_paths[0]}: found {free} bytes free on the disk; expected {needed}'
            )
        count = sum(source.count for source, _ in sets)
        with (
            files.replacing(*all_paths) as temporary,
            tqdm.tqdm(total=count, unit='record', unit_scale=True, disable=None) as bar,
        ):
            for (source, paths), layout in zip(sets, layouts, strict=True):
                parts, temporary = temporary[: len(paths)], temporary[len(paths) :]
                blocks = _blocks(parts, source.count, layout.record_bytes)
                job = functools.partial(_write_block, source, layout)
                for written in _in_workers(job, blocks, num_workers):
                    bar.update(written)


def _blocks(paths: list[pathlib.Path], count: int, record_bytes: int) -> Iterator[Block]:
    step = max(1, _BLOCK_BYTES // record_bytes)
    for shard, path in enumerate(paths):
        first, last = (count * edge // len(paths) for edge in (shard, shard + 1))
        for start in range(first, last, step):
            yield path, (start - first) * record_bytes, start, min(start + step, last)


def _write_block(source: Source, layout: RecordLayout, block: Block) -> int:
    path, offset, first, last = block
    records = layout.encode(source.features(np.arange(first, last)))
    with open(path, 'r+b') as file:
        file.seek(offset)
        file.write(records.data)
    return last - first


def _in_workers(
    job: Callable[[Block], int], blocks: Iterator[Block], num_workers: int
) -> Iterator[int]:
    """What `job` returns for each block, in any order.

    This process has no thread beside: one that cannot start for lack of memory, as those of
    concurrent.futures, would leave all others waiting for ever.
    """
    if num_workers == 1:
        yield from map(job, blocks)
        return
    # Forked workers start all at once: one zero too many must not take the machine down.
    num_workers = min(num_workers, _MOST_WORKERS)
    todo = list(blocks)
    workers: dict[Any, Any] = {}  # the process behind each pipe
    try:
        for number in range(num_workers):
            try:
                receiver, worker = _start_worker(job, todo[number::num_workers])
            except OSError as error:
                raise DataError(
                    f'--num_workers={num_workers}: found no room for more than {number}: '
                    f'{error.strerror}; expected fewer'
                ) from error
            workers[receiver] = worker
        while workers:
            ready: list[Any] = multiprocessing.connection.wait([*workers])
            for receiver in ready:
                try:
                    written = receiver.recv()
                except EOFError:
                    _check_end(workers.pop(receiver), num_workers)
                    continue
                if isinstance(written, Exception):
                    raise written
                yield written
    finally:
        for worker in workers.values():
            worker.kill()
            worker.join()


def _start_worker(job: Callable[[Block], int], blocks: list[Block]) -> tuple[Any, Any]:
    """The pipe from a new worker, and the worker."""
    # Forked workers share the images; NumPy alone has no threads that a fork could break.
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    context: Any = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(job, blocks, sender))
    worker.start()
    sender.close()  # so that the end of the worker is the end of its pipe
    return receiver, worker


def _check_end(worker: Any, num_workers: int) -> None:
    worker.join()
    if worker.exitcode:
        raise DataError(
            f'--num_workers={num_workers}: a worker was killed, perhaps for lack of memory; '
            'expected all to live'
        )


def _work(job: Callable[[Block], int], blocks: list[Block], sender: Any) -> None:
    # Only the parent decides when to stop; but should it be killed, workers must not outlive it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent: Any = multiprocessing.parent_process()
    try:
        for block in blocks:
            if os.getppid() != parent.pid:
                return
            sender.send(job(block))
    except (UserError, OSError, MemoryError) as error:
        sender.send(error)
