"""Seconds of a training step beside other implementations', all taking turns; see peers.md.

--names are functions of --file: batch size -> a function that makes one training step. Each runs
in a process of its own, so that PyTorch and both TensorFlows leave each other alone.
"""

import multiprocessing
import runpy
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from benchmarks import measure


def ours(batch_size: int) -> Callable[[], object]:
    import tensorflow as tf

    from benchmarks import networks

    model = networks.build('mnist')
    batch = networks.random_batch(model.info, batch_size)
    step = tf.function(model.train_step)
    return lambda: step(batch).losses.total.numpy()


def serve_steps(pipe: Connection, file: str, name: str, batch_size: int) -> None:
    """One untimed step; then one step, and its seconds, whenever asked."""
    make_step = ours if name == 'ours' else runpy.run_path(file)[name]
    step = make_step(batch_size)
    step()
    pipe.send(None)
    while pipe.recv():
        start = time.perf_counter()
        step()
        pipe.send(time.perf_counter() - start)


def main() -> None:
    arguments = measure.parse_arguments(__doc__, file='', names='', batch_size=128, rounds=5)
    context = multiprocessing.get_context('spawn')
    pipes, seconds = {}, {}
    for name in ['ours', *filter(None, arguments.names.split(','))]:
        pipes[name], end = context.Pipe()
        rest = (end, arguments.file, name, arguments.batch_size)
        context.Process(target=serve_steps, args=rest, daemon=True).start()
        end.close()
        try:
            pipes[name].recv()
        except EOFError:
            line = f'--names={name}: ended before its first step, as it says above.'
            raise SystemExit(line) from None
        seconds[name] = []
    for _ in range(arguments.rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            seconds[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    for name, row in seconds.items():
        ratios = [theirs / own for theirs, own in zip(row, seconds['ours'], strict=True)]
        result = {
            'name': name,
            'seconds': statistics.median(row),
            'images_per_second': arguments.batch_size / statistics.median(row),
            'over_ours': statistics.median(ratios),
            'lowest': min(ratios),
            'highest': max(ratios),
        }
        measure.report('peers', result, arguments.json)


if __name__ == '__main__':
    main()
