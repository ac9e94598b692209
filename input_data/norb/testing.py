"""Tiny raw files of smallNORB, for tests."""

import pathlib
import struct

import numpy as np

NAMES = {
    'train': 'smallnorb-5x46789x9x18x6x2x96x96-training',
    'test': 'smallnorb-5x01235x9x18x6x2x96x96-testing',
}
MAGIC = {'u1': 0x1E3D4C55, 'i4': 0x1E3D4C54, 'i2': 0x1E3D4C56, 'f4': 0x1E3D4C51, 'f8': 0x1E3D4C53}


def matrix_bytes(values: np.ndarray) -> bytes:
    """A matrix file, put together from the format's description."""
    kind = f'{values.dtype.kind}{values.dtype.itemsize}'
    sizes = (*values.shape, 1, 1)[: max(3, values.ndim)]
    header = struct.pack(f'<{2 + len(sizes)}i', MAGIC[kind], values.ndim, *sizes)
    return header + values.astype(values.dtype.newbyteorder('<')).tobytes()


def toys(instances: list[int], views: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """Stereo pairs of five categories, category fastest, `views` of each toy.

    Returns:
      dat uint8 [n, 2, 96, 96], cat int32 [n] and info int32 [n, 4].
    """
    generator = np.random.default_rng(seed)
    _, instance, category = (
        axis.ravel() for axis in np.meshgrid(range(views), instances, range(5), indexing='ij')
    )
    count = len(category)
    others = [generator.integers(0, limit, count) for limit in (9, 18, 6)]
    info = np.stack([instance, others[0], 2 * others[1], others[2]], axis=1)
    return {
        'dat': generator.integers(0, 256, (count, 2, 96, 96)).astype(np.uint8),
        'cat': category.astype(np.int32),
        'info': info.astype(np.int32),
    }


def write_split(folder: str, split: str, arrays: dict[str, np.ndarray]) -> dict[str, pathlib.Path]:
    """Writes the three raw files of a split and returns their paths by 'dat', 'cat', 'info'."""
    paths = {}
    for kind, values in arrays.items():
        paths[kind] = pathlib.Path(folder, f'{NAMES[split]}-{kind}.mat')
        paths[kind].write_bytes(matrix_bytes(values))
    return paths


def treat(
    image: np.ndarray, row: float, column: float, brightness: float, contrast: float
) -> np.ndarray:
    """The release's treatment of one image [48, 48, 2] in training, from draws in [0, 1)."""
    image = image.astype(np.float64) + (126 * brightness - 63)
    for channel in range(2):
        mean = image[..., channel].mean()
        image[..., channel] = (image[..., channel] - mean) * (0.2 + 1.6 * contrast) + mean
    top, left = int(row * 17), int(column * 17)
    return standardize(image[top : top + 32, left : left + 32])


def standardize(image: np.ndarray) -> np.ndarray:
    """One image of any size: mean 0; divided by its deviation, or 1 / sqrt(pixels) if larger."""
    image = image.astype(np.float64)
    return (image - image.mean()) / max(image.std(), 1 / np.sqrt(image.size))
