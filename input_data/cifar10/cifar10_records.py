"""Writes CIFAR-10's binary version as TFRecords, for programs that read nothing else.

A record has height, width, depth and label (integers) and image_raw: the bytes of the binary
version as they are, which is (depth, height, width) order.
"""

import os
import pathlib
import sys

import numpy as np
from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from input_data import command_line
from input_data.cifar10 import raw
from input_data.command_line import OUTPUT_DIR, Option
from input_data.errors import DataError
from input_data.records.write import write_records


class _Examples:
    """Images of the binary version as `write_records` takes them."""

    height, width, depth = raw.HEIGHT, raw.WIDTH, raw.DEPTH

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Takes uint8 images [n, 3, 32, 32] and labels [n]."""
        self.count = len(images)
        self._images, self._labels = images, labels

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """Label [k] and image_raw uint8 [k, 3, 32, 32], for int64 [k]."""
        return {'label': self._labels[positions], 'image_raw': self._images[positions]}


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
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, raw.record_name(split))
    source = _Examples(images, labels)
    write_records(source, [path])
    return path, source.count


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
