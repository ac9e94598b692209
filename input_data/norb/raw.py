"""smallNORB's raw files: binary matrices, plain or compressed with gzip.

A matrix file is little-endian: a magic number that tells the element type, the number of
dimensions, the dimensions (at least three are stored, even if there are fewer), all of them
int32; then the elements, row-major. A split has three: `*-dat.mat` (images), `*-cat.mat`
(categories) and `*-info.mat` (instance, elevation, azimuth, lighting). The format is that of
https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
"""

import glob
import os
import struct
from typing import NamedTuple

import numpy as np

from input_data import raw_array
from input_data.errors import DataError

CATEGORIES = ('four-legged animals', 'human figures', 'airplanes', 'trucks', 'cars')
INFO_LIMITS = {'instance': 9, 'elevation': 8, 'azimuth': 34, 'lighting': 5}  # highest values

_FILE_WORD = {'train': 'training', 'test': 'testing'}
_MAGIC = {'u1': 0x1E3D4C55, '<i4': 0x1E3D4C54}


class RawSplit(NamedTuple):
    """What the raw files of 'train' or 'test' hold, checked."""

    images_path: str
    images: np.ndarray  # [n, 2, height, width] uint8, the left and the right one of each pair
    categories: np.ndarray  # [n] int32, index into CATEGORIES
    info: np.ndarray  # [n, 4] int32, in the order of INFO_LIMITS

    def objects(self) -> set[tuple[int, int]]:
        """(category, instance) of each toy that is shown."""
        return set(zip(self.categories.tolist(), self.info[:, 0].tolist(), strict=True))


def read_matrix(path: str, element_type: str, dimensions: int) -> np.ndarray:
    """Reads a matrix file of bytes ('u1') or integers ('<i4').

    Raises:
      DataError: the file is absent, damaged or of another kind or length.
    """
    magic = struct.pack('<2i', _MAGIC[element_type], dimensions)
    return raw_array.read_array(path, magic, '<i4', max(3, dimensions), element_type, dimensions)


def read_split(data_dir: str, split: str) -> RawSplit:
    """Reads the raw files of a split.

    Args:
      data_dir: the folder of the raw files.
      split: 'train' or 'test'.

    Raises:
      DataError: a file is absent, damaged, or does not fit the others.
    """
    images_path, categories_path, info_path = find(data_dir, split)
    images = read_matrix(images_path, 'u1', 4)
    if images.shape[1] != 2:
        raise DataError(f'{images_path}: found {images.shape}; expected [n, 2, height, width]')
    categories, info = read_matrix(categories_path, '<i4', 1), read_matrix(info_path, '<i4', 2)
    for path, values, shape in (
        (categories_path, categories, (len(images),)),
        (info_path, info, (len(images), len(INFO_LIMITS))),
    ):
        if values.shape != shape:
            raise DataError(f'{path}: found {values.shape}; expected {shape}')
    _check_range(categories_path, 'category', categories, len(CATEGORIES) - 1)
    for column, (name, highest) in enumerate(INFO_LIMITS.items()):
        _check_range(info_path, name, info[:, column], highest)
    return RawSplit(images_path, images, categories, info)


def find(data_dir: str, split: str) -> list[str]:
    """Paths of the images, categories and infos of 'train' or 'test', each plain or `.gz`.

    Raises:
      DataError: a file is absent, or there are several sets of files to choose from.
    """
    if not os.path.isdir(data_dir):
        raise DataError(f"--data_dir={data_dir}: no such folder; expected smallNORB's raw files")
    pattern = f'*{_FILE_WORD[split]}*-dat.mat'
    found = glob.glob(os.path.join(glob.escape(data_dir), pattern))
    found += glob.glob(os.path.join(glob.escape(data_dir), f'{pattern}.gz'))
    stems = sorted({path.removesuffix('.gz').removesuffix('-dat.mat') for path in found})
    if len(stems) != 1:
        listed = ', '.join(f'{os.path.basename(stem)}-dat.mat' for stem in stems) or 'none'
        raise DataError(f'--data_dir={data_dir}: found {listed}; expected one {pattern} (or .gz)')
    paths = []
    for kind in ('dat', 'cat', 'info'):
        plain = f'{stems[0]}-{kind}.mat'
        present = [path for path in (plain, f'{plain}.gz') if os.path.isfile(path)]
        if not present:
            raise DataError(f'{plain}: no such file; expected it, plain or .gz')
        paths.append(present[0])
    return paths


def _check_range(path: str, name: str, values: np.ndarray, highest: int) -> None:
    wrong = np.flatnonzero((values < 0) | (values > highest))
    if len(wrong):
        raise DataError(
            f'{path}: found {name} {values[wrong[0]]} of example {wrong[0]}; '
            f'expected 0 to {highest}'
        )
