"""Writes record files of many examples, by several processes.

All records of a run have one length, since only labels and pixels differ. So workers lay out
blocks of records as arrays and write each block at its place in the file: neither their number
nor their order changes a byte. TensorFlow is not needed, nor the seconds it takes to start.
"""

import collections
import concurrent.futures
import functools
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tqdm

from common import files
from common.lock import hold_folder
from input_data.errors import DataError
from input_data.records.layout import RecordLayout

Block = tuple[
    pathlib.Path, int, int, int
]  # path, place in the file in bytes, first and last + 1 example

_BLOCK_BYTES = 4 << 20
_BLOCKS_AHEAD = 4
_MOST_WORKERS = 256
_job: Callable[[Block], int]  # of a worker


class Source(Protocol):
    """Examples of one size, each a function of its position.

    Attributes:
      count: number of examples.
      height, width, depth: size of an image.
    """

    count: int
    height: int
    width: int
    depth: int

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """What differs between records: labels [k] and images [k, ...], for int64 [k]."""
        ...


def write_records(source: Source, paths: list[str], num_workers: int = 1) -> None:
    """Writes all examples of `source` to `paths`: in order, in parts that differ by at most 1.

    The files appear under their names, together, only when all are whole; until then files that
    were there stay.

    Raises:
      UserError: no room on the disk, another process writes there, or a worker was killed.
      OSError: a write failed.
    """
    size = {'height': source.height, 'width': source.width, 'depth': source.depth}
    layout = RecordLayout(size, source.features(np.zeros(1, np.int64)))
    folder = os.path.dirname(paths[0]) or '.'
    with hold_folder(f'--output_dir={folder}', folder):
        needed, free = source.count * layout.record_bytes, shutil.disk_usage(folder).free
        if needed > free:
            raise DataError(f'{paths[0]}: found {free} bytes free on the disk; expected {needed}')
        with (
            files.replacing(*paths) as temporary,
            tqdm.tqdm(total=source.count, unit='record', unit_scale=True, disable=None) as bar,
        ):
            blocks = _blocks(temporary, source.count, layout.record_bytes)
            job = functools.partial(_write_block, source, layout)
            for written in _in_workers(job, blocks, num_workers):
                bar.update(written)


def output_paths(
    output_dir: str, name: str, count: int, max_shard: int, numbered: bool
) -> list[str]:
    """Paths of the fewest files that hold `count` records, at most `max_shard` each (0: any).

    Args:
      output_dir: folder of the files.
      name: their name, to which -SSSSS-of-NNNNN is added.
      count: number of records in all.
      max_shard: most records in one file; 0 for no limit.
      numbered: whether a lone file has a number too.
    """
    shards = -(-count // max_shard) if max_shard else 1
    path = os.path.join(output_dir, name)
    if shards == 1 and not numbered:
        return [path]
    return [f'{path}-{shard:05d}-of-{shards:05d}' for shard in range(shards)]


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
    if num_workers == 1:
        yield from map(job, blocks)
        return
    # Forked workers start all at once: one zero too many must not take the machine down.
    num_workers = min(num_workers, _MOST_WORKERS)
    # Forked workers share the images; NumPy alone has no threads that a fork could break.
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    executor = concurrent.futures.ProcessPoolExecutor(num_workers, context, _start_worker, (job,))
    pending: collections.deque[concurrent.futures.Future[int]] = collections.deque()
    try:
        for block in blocks:
            pending.append(executor.submit(_run_job, block))
            if len(pending) > _BLOCKS_AHEAD * num_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except concurrent.futures.BrokenExecutor as error:
        raise DataError(
            f'--num_workers={num_workers}: a worker was killed, perhaps for lack of memory; '
            'expected all to live'
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker(job: Callable[[Block], int]) -> None:
    global _job
    _job = job
    # Only the parent decides when to stop; but should it be killed, workers must not outlive it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(process: Any) -> None:
    process.join()
    os._exit(1)


def _run_job(block: Block) -> int:
    return _job(block)
