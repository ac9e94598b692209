"""Shifted digits and overlapping pairs of them (paper section 6), in pure NumPy.

What is drawn is a function of (seed, split, base digit, number of the pair): see `draws`. So the
writer of records and a reader that makes pairs on the fly agree byte for byte.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from input_data import draws
from input_data.errors import DataError

_MAX_SIDE = 4096


def pad_images(images: np.ndarray, pad: int) -> np.ndarray:
    """Adds `pad` zeros on every side: [n, h, w] -> [n, h + 2 * pad, w + 2 * pad]."""
    return np.pad(images, ((0, 0), (pad, pad), (pad, pad))) if pad else images


def shift_images(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Moves each image by its own number of pixels.

    Args:
      images: [n, height, width]; what leaves the frame is lost, what enters is 0.
      rows: integers [n], positive is down.
      columns: integers [n], positive is to the right.
    """
    margin = max(int(np.abs(moves).max(initial=0)) for moves in (rows, columns))
    padded, size = pad_images(images, margin), images.shape[1:]
    windows = sliding_window_view(padded, size, axis=(1, 2))  # [n, 2 * margin + 1, same, h, w]
    return windows[np.arange(len(images)), margin - rows, margin - columns]  # [n, h, w]


def merge(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Adds uint8 images of one shape and clips the sum at 255."""
    return first + np.minimum(second, 255 - first)


def check_shift(shift: int, height: int, width: int) -> None:
    """Raises DataError for a move that would take a whole image of this size out of the frame."""
    if not 0 <= shift < min(height, width):
        raise DataError(
            f'--shift={shift}: out of range; expected 0 to {min(height, width) - 1} pixels for '
            f'padded images of {height}x{width}'
        )


class Singles:
    """All shifts of all digits: example i is shift i % (2 * shift + 1)^2 of one digit (release)."""

    depth = 1

    def __init__(self, images: np.ndarray, labels: np.ndarray, *, shift: int, pad: int = 0) -> None:
        """Takes uint8 images [n, h, w], labels [n]; raises DataError for a bad shift or pad."""
        self.height, self.width = _checked_size(images, shift, pad)
        self._images, self._labels, self._shift, self._pad = images, labels, shift, pad
        self._side = 2 * shift + 1
        self.count = len(images) * self._side**2

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """Features that vary: label [k] and image_raw uint8 [k, height, width] for int64 [k]."""
        digit, move = np.divmod(positions, self._side**2)
        rows, columns = np.divmod(move, self._side)
        padded = pad_images(self._images[digit], self._pad)  # [k, height, width]
        image = shift_images(padded, rows - self._shift, columns - self._shift)
        return {'label': self._labels[digit], 'image_raw': image}


class Pairs:
    """Overlapping digits of two classes: MultiMNIST (paper section 6.1, release).

    Every digit is the base of `num_pairs` pairs, or of as many as there are digits with another
    label: no two of its pairs have the same partner. A base digit moves by one draw that is kept
    for all its pairs, a partner by a draw of its own for each pair; draws are uniform in
    [-shift, shift] on each axis. Pair k of a base digit does not depend on num_pairs.
    """

    depth = 1

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        num_pairs: int,
        shift: int,
        pad: int = 0,
        seed: int = 0,
        split: str = 'train',
    ) -> None:
        """Takes uint8 images [n, h, w] and labels [n]; raises DataError if pairs cannot be made."""
        self.height, self.width = _checked_size(images, shift, pad)
        if labels.min() == labels.max():
            raise DataError(
                f'--split={split}: all {len(labels)} digits have label {labels[0]}; expected '
                'two labels or more, since a partner has another label'
            )
        self._images, self._labels, self._pad, self.shift = images, labels, pad, shift
        self._seed, self._split = seed, split
        digits = np.arange(len(labels))
        # Of each digit [n, ...]: how it moves as a base, which permutation gives its partners, how
        # many digits have another label, and where those of its own start when sorted by label.
        self.base_moves = self._draw_moves('base', digits)  # [n, 2]
        self.partner_keys = draws.draw_words(
            seed, f'{split} partner', digits, draws.PERMUTATION_KEY
        )
        label_counts = np.bincount(labels)
        self.candidates = len(labels) - label_counts[labels]
        self.own_starts = (np.cumsum(label_counts) - label_counts)[labels]
        self.by_label = np.argsort(labels, kind='stable')
        self._num_pairs = np.minimum(num_pairs, self.candidates)  # [n]
        self._ends = np.cumsum(self._num_pairs)  # [n]
        self.count = int(self._ends[-1])

    def draw_pairs(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which digits make up the given pairs, and how they move.

        Args:
          pairs: int64 [k], numbers of pairs: those of the first base digit come first.

        Returns:
          base [k] and partner [k], indices of digits; moves [k, 2, 2] in pixels: (base, partner) by
          (row, column).
        """
        base = np.searchsorted(self._ends, pairs, side='right')
        number = pairs - (self._ends - self._num_pairs)[base]
        candidates = self.candidates[base]
        rank = draws.permute(number, candidates, self.partner_keys[base])
        # In the order sorted by label the digits of one's own label are one run, to step over.
        rank += np.where(rank < self.own_starts[base], 0, len(self._labels) - candidates)
        moves = [self.base_moves[base], self._draw_moves('partner', (base << 32) | number)]
        return base, self.by_label[rank], np.stack(moves, axis=1)

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """Features that vary, of the examples at the given positions in the files.

        The positions of the files, one after the other, are a random permutation of the pairs:
        each file, and each stretch of a file, is a fair sample of them all.

        Args:
          positions: int64 [k], each in range(count).

        Returns:
          label_1 and label_2 [k]; image_raw_1, image_raw_2 and merged_raw uint8 [k, height, width].
        """
        key = draws.draw_words(
            self._seed, f'{self._split} order', np.zeros(1, np.int64), draws.PERMUTATION_KEY
        )
        base, partner, moves = self.draw_pairs(draws.permute(positions, self.count, key))
        first, second = (
            shift_images(pad_images(self._images[digit], self._pad), *moves[:, which].T)
            for which, digit in enumerate((base, partner))
        )  # [k, height, width] each
        return {
            'label_1': self._labels[base],
            'label_2': self._labels[partner],
            'image_raw_1': first,
            'image_raw_2': second,
            'merged_raw': merge(first, second),
        }

    def _draw_moves(self, which: str, positions: np.ndarray) -> np.ndarray:
        words = draws.draw_words(self._seed, f'{self._split} {which} move', positions, 2)
        return draws.scale(words, 2 * self.shift + 1) - self.shift  # [k, 2]


def _checked_size(images: np.ndarray, shift: int, pad: int) -> tuple[int, int]:
    height, width = (side + 2 * pad for side in images.shape[1:])
    if max(height, width) > _MAX_SIDE:
        raise DataError(
            f'--pad={pad}: padded images are {height}x{width}; expected {_MAX_SIDE} at most'
        )
    check_shift(shift, height, width)
    return height, width
