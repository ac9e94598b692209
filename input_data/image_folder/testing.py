"""Folders of pictures, for tests."""

import pathlib

import numpy as np
from PIL import Image


def write_class(
    folder: str | pathlib.Path, count: int, size: tuple[int, ...] = (12, 12), seed: int = 0
) -> np.ndarray:
    """Writes 000.png, 001.png ...: noise of size [height, width] or [height, width, 3].

    Returns:
      uint8 [count, *size].
    """
    pathlib.Path(folder).mkdir(parents=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, *size)).astype(np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(f'{folder}/{number:03}.png')
    return pixels


def paths_of(listed: dict[str, list[str]]) -> set[str]:
    """All paths of `folders.Files`."""
    return {path for paths in listed.values() for path in paths}
