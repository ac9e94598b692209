"""What CIFAR-10 and smallNORB share of the release's treatment: crops, light, standardization."""

from __future__ import annotations

import tensorflow as tf

MAX_BRIGHTNESS = 63.0  # added or taken away, of 255
CONTRAST = (0.2, 1.8)  # lowest and highest factor


def crop(
    images: tf.Tensor, drawn: tf.Tensor, side: int, mirrored: tf.Tensor | None = None
) -> tf.Tensor:
    """Cuts side x side pixels out of images [batch, height, width, depth] at drawn places.

    Args:
      images: to cut from.
      drawn: float32 [batch, 2] in [0, 1), for the row and the column; every place is as likely.
      side: of a crop, in pixels.
      mirrored: bool [batch], which crops to turn left to right; None for none.
    """
    _, height, width, _ = images.shape
    places = tf.constant([height - side + 1, width - side + 1], tf.float32)
    corners = tf.cast(drawn * places, tf.int32)  # [batch, 2], rounded down
    rows, columns = (corners[:, axis, None] + tf.range(side) for axis in (0, 1))  # [batch, side]
    if mirrored is not None:
        columns = tf.where(mirrored[:, None], columns[:, ::-1], columns)
    bands = tf.gather(images, rows, axis=1, batch_dims=1)  # [batch, side, width, depth]
    return tf.gather(bands, columns, axis=2, batch_dims=1)  # [batch, side, side, depth]


def crop_centre(images: tf.Tensor, side: int) -> tf.Tensor:
    """The middle side x side pixels of each image [batch, height, width, depth]."""
    top, left = (images.shape[1] - side) // 2, (images.shape[2] - side) // 2
    return images[:, top : top + side, left : left + side]


def change_light(images: tf.Tensor, drawn: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
    """Changes the brightness of each image, then its contrast about channel means.

    Args:
      images: [batch, height, width, depth], pixels from 0 to 255.
      drawn: float32 [batch, 2] in [0, 1), for brightness and contrast.
      means: float32 [batch, 1, 1, depth], of the pixels before any change, that contrast leaves.

    Returns:
      float32 of the same shape; not clipped, as in the release.
    """
    brightness, contrast = (drawn[:, axis, None, None, None] for axis in (0, 1))  # [batch, 1, 1, 1]
    factor = CONTRAST[0] + contrast * (CONTRAST[1] - CONTRAST[0])
    deviations = (tf.cast(images, tf.float32) - means) * factor
    return deviations + means + (2 * brightness - 1) * MAX_BRIGHTNESS


def channel_means(images: tf.Tensor) -> tf.Tensor:
    """[batch, height, width, depth] -> float32 [batch, 1, 1, depth]."""
    return tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2], keepdims=True)


def standardize(images: tf.Tensor) -> tf.Tensor:
    """Mean 0 and standard deviation 1 in each image, float32 (release)."""
    # Of integers TensorFlow would divide by 255 first, and so miss the release in dull images.
    return tf.image.per_image_standardization(tf.cast(images, tf.float32))
