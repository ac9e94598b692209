"""Makes a stand-in for affNIST from MNIST's raw test files: affnist_standin_test.tfrecords.

Digits are rotated, sheared, scaled and moved within the ranges that affNIST was made with, so that
robustness can be measured where the official files cannot be had. Numbers measured on it are not
affNIST's: the file's name, its records and the reader all say so.
"""

import functools
import os
import sys
import time

from absl import flags

if not __package__:
    sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..')))

from input_data import command_line
from input_data.affnist import standin
from input_data.errors import DataError
from input_data.mnist import raw
from input_data.records.write import write_records


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    for name, least in (('per_digit', 1), ('num_workers', 1), ('seed', 0)):
        if (value := getattr(values, name)) < least:
            raise DataError(f'--{name}={value}: expected {least} or more')
    if not values.data_dir:
        raise DataError("--data_dir: not given; expected the folder of MNIST's raw files")
    started = time.monotonic()
    images, labels = raw.read_split(values.data_dir, 'test', values.max_load)
    if labels.max() > 9:
        raise DataError(
            f'--data_dir={values.data_dir}: found label {labels.max()}; expected digits, 0 to 9'
        )
    source = standin.StandIn(images, labels, values.per_digit, values.seed)
    output_dir = values.output_dir or values.data_dir
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, standin.FILE_NAME)
    write_records(source, [path], values.num_workers)
    seconds = time.monotonic() - started
    print(path)
    print(
        f'{source.count} records, {source.height}x{source.width} pixels, {seconds:.1f} s; '
        'a stand-in made from MNIST, not the official affNIST'
    )


def run(arguments: list[str] | None = None) -> int:
    """Runs the program on command-line arguments (default: sys.argv); returns its exit status."""
    return command_line.run('affnist_make', __doc__, _define_flags(), main, arguments)


def _define_flags() -> flags.FlagValues:
    # Not absl's global flags: experiment.py has a --data_dir too, and one process may import both.
    values = flags.FlagValues()
    string = functools.partial(flags.DEFINE_string, flag_values=values)
    integer = functools.partial(flags.DEFINE_integer, flag_values=values)
    boolean = functools.partial(flags.DEFINE_boolean, flag_values=values)
    string('data_dir', '', "Folder of MNIST's raw files.")
    string('output_dir', '', 'Folder of the records, made if absent; by default data_dir.')
    integer('per_digit', 32, 'Transformations of each test digit (32 in affNIST).')
    integer('max_load', 0, 'Most raw images to read; 0 or less: all.')
    integer('seed', 0, 'What is drawn follows from it.')
    integer('num_workers', os.cpu_count() or 1, 'Processes that make records.')
    boolean('debug', False, 'Show tracebacks.')
    boolean('help', False, 'Show this help.')
    return values


if __name__ == '__main__':
    sys.exit(run())
