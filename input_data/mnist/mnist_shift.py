"""Writes records of shifted MNIST digits, or of overlapping pairs of them (MultiMNIST).

All records of a run have one length, since only pixels and labels differ. So workers lay out
blocks of records as arrays and write each block at its place in the file: neither their number
nor their order changes a byte. TensorFlow is not needed, nor the seconds it takes to start.
"""

import collections
import concurrent.futures
import functools
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import tqdm
from absl import flags

if not __package__:
    sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..')))

from common.replacing import remove_partial, replacing
from input_data import command_line
from input_data.errors import DataError
from input_data.mnist import augment, raw
from input_data.records.layout import RecordLayout

Block = tuple[str, int, int, int]

_BLOCK_BYTES = 4 << 20
_BLOCKS_AHEAD = 4
_MOST_WORKERS = 256
_job: Callable[[Block], int] | None = None


def write_records(
    source: augment.Singles | augment.Pairs, paths: list[str], num_workers: int = 1
) -> None:
    """Writes all examples of `source` to `paths`: in order, in parts that differ by at most 1.

    The files appear under their names, together, only when all are whole; until then files that
    were there stay.

    Raises:
      DataError: no room on the disk, a write failed, or a worker was killed.
    """
    size = {'height': source.height, 'width': source.width, 'depth': 1}
    layout = RecordLayout(size, source.features(np.zeros(1, np.int64)))
    folder = os.path.dirname(paths[0]) or '.'
    needed, free = source.count * layout.record_bytes, shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(f'{paths[0]}: found {free} bytes free on the disk; expected {needed}')
    with (
        replacing(paths) as temporary,
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


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    for name, least in (('max_shard', 0), ('num_workers', 1)):
        if values[name].value < least:
            raise DataError(f'--{name}={values[name].value}: expected {least} or more')
    if not values.data_dir:
        raise DataError("--data_dir: not given; expected the folder of MNIST's raw files")
    started = time.monotonic()
    images, labels = raw.read_split(values.data_dir, values.split, values.max_load)
    if labels.max() > 127:
        raise DataError(
            f'--data_dir={values.data_dir}: found label {labels.max()}; expected 127 at most'
        )
    sizes = {'shift': values.shift, 'pad': values.pad}
    draws = {'num_pairs': values.num_pairs, 'seed': values.seed, 'split': values.split}
    if values.multi_targets:
        source = augment.Pairs(images, labels, **sizes, **draws)
    else:
        source = augment.Singles(images, labels, **sizes)
    output_dir = values.output_dir or values.data_dir
    os.makedirs(output_dir, exist_ok=True)
    name = f'{values.split}_{values.shift}shifted_mnist.tfrecords'
    name = f'multi{name}' if values.multi_targets else name
    paths = output_paths(output_dir, name, source.count, values.max_shard, values.multi_targets)
    remove_partial(output_dir, name)  # perhaps of other shards, and in the way of these
    write_records(source, paths, values.num_workers)
    seconds = time.monotonic() - started
    print(paths[0] if len(paths) == 1 else f'{paths[0]} to {os.path.basename(paths[-1])}')
    print(
        f'{len(paths)} files, {source.count} records, {source.height}x{source.width} pixels, '
        f'{seconds:.1f} s, {source.count / seconds:.0f} records/s'
    )


def run(arguments: list[str] | None = None) -> int:
    """Runs the program on command-line arguments (default: sys.argv); returns its exit status."""
    return command_line.run('mnist_shift', __doc__, _define_flags(), main, arguments)


def _define_flags() -> flags.FlagValues:
    # Not absl's global flags: experiment.py has a --data_dir too, and one process may import both.
    values = flags.FlagValues()
    string = functools.partial(flags.DEFINE_string, flag_values=values)
    integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    boolean = functools.partial(flags.DEFINE_boolean, flag_values=values)
    string('data_dir', '', "Folder of MNIST's four raw files.")
    string('output_dir', '', 'Folder of the records, made if absent; by default data_dir.')
    string('split', 'train', f'One of {", ".join(raw.SPLITS)}.')
    integer('shift', 2, 'Largest move on each axis, in pixels.')
    integer('pad', 0, 'Zeros added on each side before shifting, in pixels.')
    boolean('multi_targets', False, 'Write overlapping pairs in place of single digits.')
    integer('num_pairs', 10, 'Pairs for each digit (1000 in the paper).')
    integer('max_shard', 0, 'Most records in a file; 0: all in one file.')
    integer('max_load', 0, 'Most raw images to read; 0 or less: all.')
    integer('seed', 0, 'What is drawn for pairs, and their order, follows from it.')
    integer('num_workers', os.cpu_count() or 1, 'Processes that make records.')
    boolean('debug', False, 'Show tracebacks.')
    boolean('help', False, 'Show this help.')
    return values


def _blocks(paths: list[str], count: int, record_bytes: int) -> Iterator[Block]:
    step = max(1, _BLOCK_BYTES // record_bytes)
    for shard, path in enumerate(paths):
        first, last = (count * edge // len(paths) for edge in (shard, shard + 1))
        for start in range(first, last, step):
            yield path, (start - first) * record_bytes, start, min(start + step, last)


def _write_block(
    source: augment.Singles | augment.Pairs, layout: RecordLayout, block: Block
) -> int:
    path, offset, first, last = block
    records = layout.encode(source.features(np.arange(first, last)))
    try:
        with open(path, 'r+b') as file:
            file.seek(offset)
            file.write(records)
    except OSError as error:
        raise DataError(
            f'{path}: {error.strerror}; expected to write {records.nbytes} bytes'
        ) from error
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
    pending = collections.deque()
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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _run_job(block: Block) -> int:
    return _job(block)


if __name__ == '__main__':
    sys.exit(run())
