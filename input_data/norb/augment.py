"""What is done to a stereo pair before the network sees it.

The paper's Section 7: 96x96 images are resized to 48x48; training takes random 32x32 crops,
testing the central one. Training also draws brightness and contrast, over the ranges of the
release's CIFAR-10 input, and, as there, each image is standardised in the end. That takes a
change of brightness out again but for rounding, and leaves of a change of contrast what it did
to the difference between the two channels.
"""

import tensorflow as tf

CROP = 32  # pixels a side, paper Section 7
MAX_BRIGHTNESS = 63.0  # added or taken away, of 255; release, CIFAR-10
CONTRAST = (0.2, 1.8)  # lowest and highest factor; release, CIFAR-10


def halve(images: tf.Tensor) -> tf.Tensor:
    """Means of 2x2 pixels, which is also what bilinear resizing to half the size gives.

    Args:
      images: uint8 [batch, depth, height, width] as in the records, height and width even.

    Returns:
      uint8 [batch, height / 2, width / 2, depth]; means are rounded, halves up.
    """
    _, depth, height, width = images.shape
    # Two neighbours as one 16-bit number: a quarter of the time and memory that floats take.
    pairs = tf.reshape(images, [-1, depth, height // 2, 2, width // 2, 2])
    pairs = tf.bitcast(pairs, tf.uint16)  # [batch, depth, height / 2, 2, width / 2]
    sums = tf.bitwise.bitwise_and(pairs, _16_bits(255)) + tf.bitwise.right_shift(pairs, _16_bits(8))
    sums = sums[:, :, :, 0] + sums[:, :, :, 1]  # [batch, depth, height / 2, width / 2]
    means = tf.bitwise.right_shift(sums + _16_bits(2), _16_bits(2))
    # Not transposed: oneDNN complains on standard error when it is to transpose bytes.
    channels = tf.unstack(tf.cast(means, tf.uint8), axis=1)
    return tf.stack(channels, axis=-1)  # [batch, height / 2, width / 2, depth]


def draw(positions: tf.Tensor, seed: int) -> tf.Tensor:
    """Four uniform numbers for each example, a function of (seed, position) alone.

    Args:
      positions: int64 [batch], places in the line of training examples.
      seed: of the run.

    Returns:
      float32 [batch, 4] in [0, 1).
    """

    def one(position: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([4], tf.stack([tf.constant(seed, tf.int64), position]))

    return tf.map_fn(one, positions, fn_output_signature=tf.TensorSpec([4], tf.float32))


def random_crops(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Cuts CROP x CROP pixels out of each image; every place is equally likely.

    Args:
      images: [batch, height, width, depth].
      draws: float32 [batch, 2] in [0, 1), for the row and the column.

    Returns:
      [batch, CROP, CROP, depth]
    """
    _, height, width, _ = images.shape
    places = tf.constant([height - CROP + 1, width - CROP + 1], tf.float32)
    corners = tf.cast(draws * places, tf.int32)  # [batch, 2], rounded down
    rows, columns = (corners[:, axis, None] + tf.range(CROP) for axis in (0, 1))  # [batch, CROP]
    bands = tf.gather(images, rows, axis=1, batch_dims=1)  # [batch, CROP, width, depth]
    return tf.gather(bands, columns, axis=2, batch_dims=1)  # [batch, CROP, CROP, depth]


def central_crops(images: tf.Tensor) -> tf.Tensor:
    """The middle CROP x CROP pixels of each image [batch, height, width, depth]."""
    top, left = (images.shape[1] - CROP) // 2, (images.shape[2] - CROP) // 2
    return images[:, top : top + CROP, left : left + CROP]


def distort(images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Changes the brightness of each image, then its contrast about each channel's mean.

    Args:
      images: float32 [batch, height, width, depth], pixels from 0 to 255.
      draws: float32 [batch, 2] in [0, 1), for brightness and contrast.

    Returns:
      float32 of the same shape; not clipped, as in the release.
    """
    brightness, contrast = (draws[:, axis, None, None, None] for axis in (0, 1))  # [batch, 1, 1, 1]
    images += (2 * brightness - 1) * MAX_BRIGHTNESS
    lowest, highest = CONTRAST
    means = tf.reduce_mean(images, axis=[1, 2], keepdims=True)  # [batch, 1, 1, depth]
    return (images - means) * (lowest + contrast * (highest - lowest)) + means


def _16_bits(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint16)
