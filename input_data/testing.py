"""Tiny files in the formats of the data sets, for tests."""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def example(**features) -> bytes:
    """A serialised tf.train.Example of integers, lists of integers and bytes."""
    message = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, bytes):
            message.features.feature[name].bytes_list.value.append(value)
        else:
            message.features.feature[name].int64_list.value.extend(np.atleast_1d(value).tolist())
    return message.SerializeToString()


def write_records(path: str | pathlib.Path, records: Sequence[bytes]) -> str:
    """Writes serialised records to a TFRecord file and returns its path."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return str(path)


def digit_images(count: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bar whose row tells the class, easy to learn; labels go round 0..9.

    Returns:
      uint8 [count, size, size] and uint8 [count].
    """
    images = np.random.default_rng(seed).integers(0, 60, (count, size, size)).astype(np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[int(label) * size // 10 + 1] = 255
    return images, labels


def single_record(image: np.ndarray, label: int, **overrides) -> bytes:
    """One record of mnist_shift.py for a digit [height, width]; some features may be set."""
    height, width = image.shape
    features = dict(height=height, width=width, depth=1, label=int(label))
    return example(**{**features, 'image_raw': image.tobytes(), **overrides})


def write_singles(directory: str, split: str = 'train_2', count: int = 40, size: int = 20) -> str:
    """Writes `{split}shifted_mnist.tfrecords` and returns its path."""
    images, labels = digit_images(count, size)
    records = [single_record(*pair) for pair in zip(images, labels, strict=True)]
    return write_records(f'{directory}/{split}shifted_mnist.tfrecords', records)


def pair_record(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> bytes:
    """One record of mnist_shift.py for two digits [height, width]."""
    height, width = first.shape
    merged = np.minimum(first.astype(int) + second, 255).astype(np.uint8)
    return example(
        height=height,
        width=width,
        depth=1,
        label_1=int(labels[0]),
        label_2=int(labels[1]),
        image_raw_1=first.tobytes(),
        image_raw_2=second.tobytes(),
        merged_raw=merged.tobytes(),
    )


def write_pairs(path: str, count: int = 40, size: int = 20) -> str:
    """Writes a file of two-digit records of neighbouring classes."""
    images, labels = digit_images(count + 1, size)
    rows = range(count)
    records = [pair_record(images[i], images[i + 1], labels[i : i + 2]) for i in rows]
    return write_records(path, records)


def excess_chi_square(values: np.ndarray, cells: int) -> float:
    """How far counts of 0..cells-1 are from equal, in standard deviations of a normal draw.

    The cube root of chi-square is nearly normal (Wilson and Hilferty, 1931), of few cells too: a
    fair source goes beyond 4 once in some 10,000 times.
    """
    counts = np.bincount(values, minlength=cells)
    if len(counts) > cells:
        raise ValueError(f'found value {len(counts) - 1}; expected values below {cells}')
    expected = len(values) / cells
    freedom = cells - 1
    ratio = ((counts - expected) ** 2 / expected).sum() / freedom
    variance = 2 / (9 * freedom)
    return abs(np.cbrt(ratio) - (1 - variance)) / np.sqrt(variance)
