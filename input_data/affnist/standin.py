"""The examples of the stand-in for affNIST: MNIST test digits under drawn transformations."""

import numpy as np

from input_data import draws
from input_data.affnist import augment

FILE_NAME = 'affnist_standin_test.tfrecords'
MARK = 'affnist_standin'  # a feature that tells its records from all others
SIDE = 40  # pixels of an image, as affNIST's

_CHUNK = 64  # images transformed at once: more do not stay in the cache


class StandIn:
    """Every digit under `per_digit` transformations, all digits once before any comes again.

    An example is a function of the seed and its position alone.
    """

    height = width = SIDE
    depth = 1

    def __init__(self, images: np.ndarray, labels: np.ndarray, per_digit: int, seed: int) -> None:
        """Takes uint8 images [n, h, w] and labels [n]."""
        self.count = len(images) * per_digit
        self._images, self._labels, self._seed = images, labels, seed

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """Label [k], image_raw uint8 [k, 40, 40] and the mark, for int64 [k].

        Raises:
          DataError: if a digit does not fit into the frame.
        """
        chunks = range(0, len(positions), _CHUNK)
        images = [self._transformed(positions[start : start + _CHUNK]) for start in chunks]
        return {
            'label': self._labels[positions % len(self._labels)],
            'image_raw': np.concatenate(images),
            MARK: np.ones(len(positions), np.uint8),
        }

    def _transformed(self, positions: np.ndarray) -> np.ndarray:
        images = self._images[positions % len(self._images)]
        uniforms = draws.draw_uniform(self._seed, 'affnist', positions, augment.DRAWS)
        transformation = augment.choose_transformations(uniforms, images, SIDE)
        return augment.apply(transformation, images, SIDE)
