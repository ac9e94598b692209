"""Tiny files in affNIST's structure, for tests."""

import numpy as np
import scipy.io


def upright_digits(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise, but ones are upright strokes; labels go round 0..9.

    Returns:
      uint8 [count, 40, 40] and uint8 [count].
    """
    images = np.random.RandomState(seed).randint(0, 256, (count, 40, 40)).astype(np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images[labels == 1] = 0
    images[labels == 1, 10:30, 19:22] = 255
    return images, labels


def write_mat(path: str, images: np.ndarray, labels: np.ndarray, row_major: bool = False) -> None:
    """Writes [n, 40, 40] and [n] as the official files are laid out.

    Args:
      row_major: whether the 1,600 pixels of a column go row by row.
    """
    order = 'C' if row_major else 'F'
    columns = np.stack([image.ravel(order) for image in images], axis=1)  # [1600, n]
    one_of_n = np.eye(10)[labels.astype(int)].T  # [10, n]
    fields = {
        'id': np.arange(1, len(labels) + 1)[None],
        'image': columns,
        'label_int': labels[None],
        'label_one_of_n': one_of_n,
        'human_readable_label': 'a digit',
    }
    scipy.io.savemat(path, {'affNISTdata': fields}, do_compression=True)
