"""Random draws, moves and sums of images as TensorFlow operations, for input pipelines.

They do what `shift.py` does in NumPy, but without Python's lock, so that a pipeline keeps up with
a GPU while Python drives it.
"""

import numpy as np
import tensorflow as tf

_WORDS_PER_BLOCK = 4  # uint32 words that Philox gives for one value of its counter
_PHILOX = 1  # its number in tf.random.Algorithm
_WORD_BITS = 32


def random_words(seed: int, positions: tf.Tensor, count: int) -> tf.Tensor:
    """Random 32-bit words that are a function of the seed and the position alone.

    Philox (Salmon et al., 2011) is a hash of (seed, counter); each position has counters of its
    own, so it does not matter which positions are asked for together.

    Args:
      seed: any integer of 64 bits.
      positions: int64 [batch], each one more than the one before.
      count: words of each position; another count gives other words.

    Returns:
      int64 [batch, count], each in range(2^32).
    """
    blocks = -(-count // _WORDS_PER_BLOCK)
    counter = tf.cast(positions[0] * blocks, tf.uint64)
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.stack([tf.size(positions), blocks * _WORDS_PER_BLOCK]),
        key=np.array([seed % 2**64], np.uint64),
        counter=tf.stack([counter, tf.zeros_like(counter)]),
        alg=_PHILOX,
        dtype=tf.uint32,
    )  # [batch, blocks * 4]
    return tf.cast(words[:, :count], tf.int64)


def below(words: tf.Tensor, limit: tf.Tensor | int) -> tf.Tensor:
    """Random words -> integers in range(limit), int64; `limit` is an integer or int64 [...].

    Off from uniform by less than limit / 2^32.
    """
    return tf.bitwise.right_shift(words * limit, tf.constant(_WORD_BITS, tf.int64))


class PaddedImages:
    """Images that are padded and then moved, each by its own number of pixels.

    They lie in memory as strings of bytes with zeros all around. Moving an image is cutting a
    stretch out of its string, which TensorFlow does for a whole batch at once; gathering pixels
    by index takes five times as long.

    Attributes:
      height, width: size of an image, after padding.
    """

    def __init__(self, images: np.ndarray, pad: int, shift: int) -> None:
        """Takes uint8 images [n, h, w], zeros to add on every side and the largest move."""
        count, height, width = images.shape
        self.height, self.width = height + 2 * pad, width + 2 * pad
        margin = pad + shift
        # A row's zeros on the right are the next row's on the left.
        self._stride = width + max(margin, 2 * pad)
        self._shift = shift
        canvas = np.zeros((count, height + 2 * margin + 1, self._stride), np.uint8)
        canvas[:, margin : margin + height, margin : margin + width] = images
        with tf.device('CPU'):
            self._strings = tf.constant([image.tobytes() for image in canvas])  # [n]

    def take(self, indices: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
        """Moved images.

        Args:
          indices: int64 [batch], which images.
          moves: int64 [batch, 2] within [-shift, shift], rows (positive is down) and columns
            (positive is to the right).

        Returns:
          uint8 [batch, height, width]; what leaves the frame is lost, what enters is 0.
        """
        start = (self._shift - moves[:, 0]) * self._stride + self._shift - moves[:, 1]
        length = tf.fill(tf.shape(start), np.int64(self.height * self._stride))
        windows = tf.strings.substr(tf.gather(self._strings, indices), start, length)
        pixels = tf.io.decode_raw(windows, tf.uint8)  # [batch, height * stride]
        rows = tf.reshape(pixels, [-1, self.height, self._stride])  # [batch, height, stride]
        return rows[:, :, : self.width]  # [batch, height, width]


def merge(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Adds uint8 images of one shape and clips the sum at 255."""
    return first + tf.minimum(second, 255 - first)
