"""Shifted digits and overlapping pairs of them (paper section 6), in pure NumPy.

Nothing here keeps a random state. A draw is a hash of (seed, split, what is drawn, base digit,
number of the pair), so that any example can be made alone, in any order, by any process, and is
always the same: the writer of records and a reader that makes pairs on the fly agree byte for byte.
"""

import hashlib

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from input_data.errors import DataError

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PERMUTATION_ROUNDS = 4
_MAX_SIDE = 4096


def pad_images(images: np.ndarray, pad: int) -> np.ndarray:
    """Adds `pad` zeros on every side: [n, h, w] -> [n, h + 2 * pad, w + 2 * pad]."""
    return np.pad(images, ((0, 0), (pad, pad), (pad, pad))) if pad else images


def shift_images(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Moves each image by its own number of pixels.

    Args:
      images: [n, height, width].
      rows: integers [n], positive is down.
      columns: integers [n], positive is to the right.

    Returns:
      [n, height, width]; what leaves the frame is lost, what enters is 0.
    """
    margin = max(int(np.abs(moves).max(initial=0)) for moves in (rows, columns))
    windows = _windows(images, margin)  # [n, 2 * margin + 1, 2 * margin + 1, h, w]
    return windows[np.arange(len(images)), margin - rows, margin - columns]  # [n, h, w]


def all_shifts(images: np.ndarray, shift: int) -> np.ndarray:
    """Every shift of every image by up to `shift` pixels, in the release's order.

    Args:
      images: [n, height, width].
      shift: the largest move on each axis, in pixels.

    Returns:
      [n, (2 * shift + 1)^2, height, width]: row moves from -shift to shift in the outer loop,
      column moves in the inner one.
    """
    windows = _windows(images, shift)[:, ::-1, ::-1]  # [n, 2 * shift + 1, 2 * shift + 1, h, w]
    return windows.reshape(len(images), -1, *images.shape[1:])  # [n, (2 * shift + 1)^2, h, w]


def merge(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Adds uint8 images of one shape and clips the sum at 255."""
    return first + np.minimum(second, 255 - first)


def permute(positions: np.ndarray, count: int, key: str) -> np.ndarray:
    """A fixed random permutation of range(count) that needs no memory.

    A Feistel network permutes the next larger power of 4; what falls outside range(count) goes
    through it again until it is inside.

    Args:
      positions: int64 [k], each in range(count).
      count: how many numbers are permuted.
      key: another key gives another permutation.

    Returns:
      int64 [k], where each position goes.
    """
    half = np.uint64(max(1, -(-(count - 1).bit_length() // 2)))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = [f'{key}/round {turn}' for turn in range(_PERMUTATION_ROUNDS)]
    result = positions.astype(np.uint64)
    outside = np.arange(len(result))
    while len(outside):
        left, right = result[outside] >> half, result[outside] & mask
        for round_key in keys:
            left, right = right, left ^ (_random_bits(round_key, right) & mask)
        result[outside] = (left << half) | right
        outside = outside[result[outside] >= count]
    return result.astype(np.int64)


class Singles:
    """All shifts of all digits: example i is shift i % (2 * shift + 1)^2 of one digit (release).

    Attributes:
      count: number of examples.
      height, width, depth: size of an example, after padding.
    """

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

    Every digit is the base of `num_pairs` pairs. Partners are drawn uniformly, with replacement,
    from the digits of the same split that have another label; both digits of a pair move by
    independent uniform draws from [-shift, shift] on each axis. Pair k of a base digit does not
    depend on num_pairs.

    Attributes:
      count: number of pairs.
      height, width, depth: size of an example, after padding.
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
        if not 1 <= num_pairs < 1 << 32:
            raise DataError(
                f'--num_pairs={num_pairs}: out of range; expected 1 or more, below 2^32'
            )
        if labels.min() == labels.max():
            raise DataError(
                f'--split={split}: all {len(labels)} digits have label {labels[0]}; expected '
                'two labels or more, since a partner has another label'
            )
        self._images, self._labels, self._shift, self._pad = images, labels, shift, pad
        self._num_pairs, self._key = num_pairs, f'{seed}/{split}'
        self.count = len(images) * num_pairs
        self._by_label = np.argsort(labels, kind='stable')
        self._label_counts = np.bincount(labels, minlength=256)
        self._label_starts = np.cumsum(self._label_counts) - self._label_counts

    def draw(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which digits make up the given pairs, and how they move.

        Args:
          pairs: int64 [k]; pair i has base digit i // num_pairs.

        Returns:
          base [k] and partner [k], indices of digits; moves [k, 2, 2] in pixels: (base, partner) by
          (row, column).
        """
        base, number = np.divmod(pairs, self._num_pairs)
        counter = (base << 32) | number
        own_label = self._labels[base]
        candidates = len(self._labels) - self._label_counts[own_label]
        rank = self._uniform('partner', counter, candidates)
        # In the order sorted by label the digits of one's own label are one run, to step over.
        rank += np.where(rank < self._label_starts[own_label], 0, self._label_counts[own_label])
        axes = ('base row', 'base column', 'partner row', 'partner column')
        side = 2 * self._shift + 1
        moves = np.stack([self._uniform(axis, counter, side) for axis in axes], axis=1)  # [k, 4]
        return base, self._by_label[rank], moves.reshape(-1, 2, 2) - self._shift  # moves [k, 2, 2]

    def features(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """Features that vary, of the examples at the given positions in the files.

        The positions of the files, one after the other, are a random permutation of the pairs:
        each file, and each stretch of a file, is a fair sample of them all.

        Args:
          positions: int64 [k], each in range(count).

        Returns:
          label_1 and label_2 [k]; image_raw_1, image_raw_2 and merged_raw uint8 [k, height, width].
        """
        base, partner, moves = self.draw(permute(positions, self.count, f'{self._key}/order'))
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

    def _uniform(self, name: str, counter: np.ndarray, below: int | np.ndarray) -> np.ndarray:
        # Scaling 32 random bits is off from uniform by less than below / 2^32.
        bits = _random_bits(f'{self._key}/{name}', counter.astype(np.uint64)) >> np.uint64(32)
        return ((bits * np.asarray(below, np.uint64)) >> np.uint64(32)).astype(np.int64)


def _windows(images: np.ndarray, margin: int) -> np.ndarray:
    return sliding_window_view(pad_images(images, margin), images.shape[1:], axis=(1, 2))


def _checked_size(images: np.ndarray, shift: int, pad: int) -> tuple[int, int]:
    if pad < 0:
        raise DataError(f'--pad={pad}: negative; expected 0 or more pixels')
    height, width = (side + 2 * pad for side in images.shape[1:])
    if max(height, width) > _MAX_SIDE:
        raise DataError(
            f'--pad={pad}: padded images are {height}x{width}; expected {_MAX_SIDE} at most'
        )
    if not 0 <= shift < min(height, width):
        raise DataError(
            f'--shift={shift}: out of range; expected 0 to {min(height, width) - 1} pixels for '
            f'padded images of {height}x{width}'
        )
    return height, width


def _random_bits(key: str, counter: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele, Lea and Flood, 2014): uint64 bits for each uint64 counter."""
    start = np.frombuffer(hashlib.sha256(key.encode()).digest()[:8], '<u8')
    bits = start + counter * _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
