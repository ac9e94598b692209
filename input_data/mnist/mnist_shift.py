"""Writes records of shifted MNIST digits, or of overlapping pairs of them (MultiMNIST)."""

import functools
import os
import sys
import time

from absl import flags

if not __package__:
    sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..')))

from input_data import command_line
from input_data.errors import DataError
from input_data.mnist import augment, raw
from input_data.records.write import Source, output_paths, write_records


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    for name, least in (('max_shard', 0), ('num_workers', 1)):
        if (value := getattr(values, name)) < least:
            raise DataError(f'--{name}={value}: expected {least} or more')
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
    source: Source = (
        augment.Pairs(images, labels, **sizes, **draws)
        if values.multi_targets
        else augment.Singles(images, labels, **sizes)
    )
    output_dir = values.output_dir or values.data_dir
    os.makedirs(output_dir, exist_ok=True)
    name = f'{values.split}_{values.shift}shifted_mnist.tfrecords'
    name = f'multi{name}' if values.multi_targets else name
    paths = output_paths(output_dir, name, source.count, values.max_shard, values.multi_targets)
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


if __name__ == '__main__':
    sys.exit(run())
