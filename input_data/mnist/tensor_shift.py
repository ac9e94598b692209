"""Moves of images as TensorFlow operations, for input pipelines.

They do what `augment.shift_images` does in NumPy, but without Python's lock, so that a pipeline
keeps up with a GPU while Python drives it.
"""

import numpy as np
import tensorflow as tf


class PaddedImages:
    """Images that are padded and then moved, each by its own number of pixels.

    They lie in memory as strings of bytes with zeros all around. Moving an image is cutting a
    stretch out of its string, which TensorFlow does for a whole batch at once; gathering pixels
    by index takes five times as long.
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
