"""CIFAR-10's binary version: files of records of one label byte and 3x32x32 pixel bytes.

Pixels are channel-first: 1,024 red ones row by row, then the green, then the blue.
"""

import os

import numpy as np

from input_data import raw_array
from input_data.errors import DataError

HEIGHT = WIDTH = 32
DEPTH = 3
CLASS_NAMES = (
    *('airplane', 'automobile', 'bird', 'cat', 'deer'),
    *('dog', 'frog', 'horse', 'ship', 'truck'),
)  # batches.meta.txt
NUM_CLASSES = len(CLASS_NAMES)
FOLDER = 'cifar-10-batches-bin'  # which the archive of the binary version unpacks to

_RECORD_BYTES = 1 + DEPTH * HEIGHT * WIDTH
_TRAIN = tuple(f'data_batch_{number}.bin' for number in range(1, 6))

# The release's validation set is the last training batch.
FILE_NAMES: dict[str, tuple[str, ...]] = {
    'train': _TRAIN,
    'test': ('test_batch.bin',),
    'valid_train': _TRAIN[:-1],
    'valid_test': _TRAIN[-1:],
}
# Where they are looked for, below data_dir; the last is the sub-folder that the release joined.
FOLDERS = (FOLDER, '', os.path.join('cifar10', FOLDER))


def find(data_dir: str, split: str) -> list[str] | None:
    """Paths of the files of a split, or None if a directory holds none of them.

    Args:
      data_dir: the directory that holds one of FOLDERS.
      split: a key of FILE_NAMES.

    Raises:
      DataError: some of the files are missing.
    """
    for folder in FOLDERS:
        paths = [os.path.join(data_dir, folder, name) for name in FILE_NAMES[split]]
        missing = [path for path in paths if not os.path.isfile(path)]
        if not missing:
            return paths
        if len(missing) < len(paths):
            raise DataError(
                f'{missing[0]}: found no such file; expected {len(paths)} batches, '
                f'{len(missing)} of them are missing'
            )
    return None


def record_name(split: str) -> str:
    """Name of the file that holds a split as TFRecords."""
    return f'{split}_cifar10.tfrecords'


def read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads one file.

    Returns:
      uint8 images [images, 3, 32, 32] and uint8 labels [images].

    Raises:
      DataError: the file is empty, cut short or holds a label above 9.
    """
    content = np.frombuffer(raw_array.read_bytes(path), np.uint8)
    if not content.size or content.size % _RECORD_BYTES:
        raise DataError(
            f'{path}: found {content.size} bytes; expected a multiple of {_RECORD_BYTES}, '
            f'a label and {DEPTH}x{HEIGHT}x{WIDTH} pixels for each image'
        )
    records = content.reshape(-1, _RECORD_BYTES)  # [images, 3073]
    labels = records[:, 0]
    wrong = np.flatnonzero(labels >= NUM_CLASSES)
    if wrong.size:
        raise DataError(
            f'{path}: record {wrong[0]}: found label {labels[wrong[0]]}; '
            f'expected 0 to {NUM_CLASSES - 1}'
        )
    return records[:, 1:].reshape(-1, DEPTH, HEIGHT, WIDTH), labels  # [images, 3, 32, 32]


def read_all(paths: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Reads several files, one after the other, as `read`."""
    images, labels = zip(*map(read, paths), strict=True)
    return np.concatenate(images), np.concatenate(labels)
