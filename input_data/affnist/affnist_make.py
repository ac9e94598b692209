"""Makes a stand-in for affNIST from MNIST's raw test files: affnist_standin_test.tfrecords.

Digits are rotated, sheared, scaled and moved within the ranges that affNIST was made with, so that
robustness can be measured where the official files cannot be had. Numbers measured on it are not
affNIST's: the file's name, its records and the reader all say so.
"""

import os
import pathlib
import sys
import time

from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from input_data import command_line
from input_data.affnist import standin
from input_data.command_line import OUTPUT_DIR, Option
from input_data.errors import DataError
from input_data.mnist import raw
from input_data.records.write import write_records


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    started = time.monotonic()
    images, labels = raw.read_split(values.data_dir, 'test', values.max_load)
    if labels.max() > 9:
        raise DataError(
            f'--data_dir={values.data_dir}: found label {labels.max()}; expected digits, 0 to 9'
        )
    source = standin.StandIn(images, labels, values.per_digit, values.seed)
    path = os.path.join(values.output_dir, standin.FILE_NAME)
    write_records((source, [path]), num_workers=values.num_workers)
    print(path)
    print(
        f'{source.count} records, {source.height}x{source.width} pixels, '
        f'{time.monotonic() - started:.1f} s; '
        'a stand-in made from MNIST, not the official affNIST'
    )


run = command_line.program(
    'affnist_make',
    __doc__,
    main,
    "the folder of MNIST's raw files",
    [
        OUTPUT_DIR,
        Option('per_digit', 32, 'Transformations of each test digit (32 in affNIST).', least=1),
        Option('max_load', 0, 'Most raw images to read; 0 or less: all.'),
        Option('seed', 0, 'What is drawn follows from it.', least=0),
        Option('num_workers', os.cpu_count() or 1, 'Processes that make records.', least=1),
    ],
)

if __name__ == '__main__':
    sys.exit(run())
