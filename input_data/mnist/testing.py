"""Tiny folders in MNIST's raw format, and checks of random draws, for tests."""

import os

import numpy as np

from input_data.mnist import raw


def write_raw(
    directory: str,
    counts: dict[str, int] | None = None,
    size: tuple[int, int] = (6, 5),
    classes: int = 10,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Writes raw files of random images without a black pixel; labels go round the classes.

    Returns:
      For 'train' and 'test': uint8 images [n, height, width] and labels [n].
    """
    generator = np.random.RandomState(0)
    digits = {}
    for part, count in (counts or {'train': 30, 'test': 12}).items():
        images = generator.randint(1, 256, (count, *size)).astype(np.uint8)
        labels = (np.arange(count) % classes).astype(np.uint8)
        images_name, labels_name = raw.file_names(part)
        raw.write_idx(os.path.join(directory, images_name), images)
        raw.write_idx(os.path.join(directory, labels_name), labels)
        digits[part] = images, labels
    return digits


def all_shifts(images: np.ndarray, most: int) -> np.ndarray:
    """All moves of images [n, h, w] by up to `most` pixels, zeros entering: [n, moves, h, w].

    Moves of rows, from up to down, in the outer loop; of columns in the inner one.
    """
    _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (most, most), (most, most)))
    starts = range(2 * most, -1, -1)
    moved = [padded[:, y : y + height, x : x + width] for y in starts for x in starts]
    return np.stack(moved, axis=1)
