"""Tiny files in the format of CIFAR-10's binary version, and what to expect of them, for tests."""

import pathlib

import numpy as np

BATCHES = (*(f'data_batch_{number}' for number in range(1, 6)), 'test_batch')


def random_images(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images [count, 3, 32, 32] of noise, no two alike, and uint8 labels [count]."""
    generator = np.random.RandomState(seed)
    images = generator.randint(0, 256, (count, 3, 32, 32)).astype(np.uint8)
    return images, generator.randint(0, 10, count).astype(np.uint8)


def write_batch(path: str | pathlib.Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Writes one .bin file, as the data set's page describes it."""
    content = b''.join(
        bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True)
    )
    pathlib.Path(path).write_bytes(content)


def write_binary(folder: str | pathlib.Path, count: int = 8) -> dict[str, np.ndarray]:
    """Writes all six .bin files, each of `count` images.

    Returns:
      The images of each batch, uint8 [count, 3, 32, 32].
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images = {}
    for seed, name in enumerate(BATCHES):
        images[name], labels = random_images(count, seed)
        write_batch(folder / f'{name}.bin', images[name], labels)
    return images


def standardize(image: np.ndarray) -> np.ndarray:
    """One image of any size: mean 0; divided by its deviation, or 1 / sqrt(pixels) if larger."""
    image = image.astype(np.float64)
    return (image - image.mean()) / max(image.std(), 1 / np.sqrt(image.size))
