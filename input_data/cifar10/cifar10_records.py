"""Writes CIFAR-10's binary version as TFRecords, for programs that read nothing else.

A record has height, width, depth and label (integers) and image_raw: the bytes of the binary
version as they are, which is (depth, height, width) order.
"""

import os
import pathlib
import sys

from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from input_data import command_line
from input_data.cifar10 import raw
from input_data.command_line import OUTPUT_DIR, Option
from input_data.errors import DataError
from input_data.records.write import ArrayExamples, write_records


def write(data_dir: str, split: str, output_dir: str) -> tuple[str, int]:
    """Writes the records of a split; the file appears under its name only when whole.

    Args:
      data_dir: directory of the binary version; see `raw.FOLDERS`.
      split: 'train', 'test', or 'valid_train' and 'valid_test': batches 1 to 4 and batch 5 of
        the training set.
      output_dir: directory of the record file, made if absent.

    Returns:
      Path of the record file and the number of records in it.

    Raises:
      DataError: unknown split, missing or damaged files, or no room on the disk.
      OSError: the file cannot be written.
    """
    if split not in raw.FILE_NAMES:
        known = ', '.join(raw.FILE_NAMES)
        raise DataError(f'--split={split}: unknown split; expected one of {known}')
    sources = raw.find(data_dir, split)
    if sources is None:
        names = raw.FILE_NAMES[split]
        raise DataError(
            f'--data_dir={data_dir}: found no {names[0]}; expected the binary version of CIFAR-10'
        )
    images, labels = raw.read_all(sources)
    path = os.path.join(output_dir, raw.record_name(split))
    write_records((ArrayExamples(label=labels, image_raw=images), [path]))
    return path, len(images)


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    path, count = write(values.data_dir, values.split, values.output_dir)
    print(f'{path}: {count} records')


run = command_line.program(
    'cifar10_records',
    __doc__,
    main,
    "the folder of CIFAR-10's binary version",
    [
        OUTPUT_DIR,
        Option('split', 'train', f'One of {", ".join(raw.FILE_NAMES)}.'),
    ],
)

if __name__ == '__main__':
    sys.exit(run())
