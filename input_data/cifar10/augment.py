"""How the release shows CIFAR-10 to the network: random crops of training images, and more."""

import tensorflow as tf

from input_data.cifar10.raw import HEIGHT, WIDTH

CROP = 24  # height and width of what the network sees, in pixels
MOST_BRIGHTER = 63.0  # or darker, of 255
CONTRAST = (0.2, 1.8)

# Draws of one example; Philox gives four at a time, so that they take two of its blocks.
_ROW, _COLUMN, _FLIP, _BRIGHTNESS, _CONTRAST = range(5)
_BLOCKS, _BLOCK_DRAWS = 2, 4
_PHILOX = 1


def distort(images: tf.Tensor, first: tf.Tensor, seed: int) -> tf.Tensor:
    """Random crop, mirror image, brightness and contrast, then standardisation (release).

    What is drawn for an example follows from the seed and its position alone. As in the
    release, pixels are not clipped at 0 and 255.

    Args:
      images: [batch, 32, 32, 3] uint8.
      first: int64, position of the first image in the line of training examples; the others
        follow it.
      seed: of the run.

    Returns:
      [batch, 24, 24, 3] float32, mean 0 and standard deviation 1 in each image.
    """
    drawn = draws(first, tf.shape(images)[0], seed)
    rows = tf.cast(drawn[:, _ROW] * (HEIGHT - CROP + 1), tf.int32)
    columns = tf.cast(drawn[:, _COLUMN] * (WIDTH - CROP + 1), tf.int32)
    cropped = tf.cast(_crop(images, rows, columns, mirrored=drawn[:, _FLIP] < 0.5), tf.float32)
    brightness = MOST_BRIGHTER * (2 * drawn[:, _BRIGHTNESS] - 1)
    cropped += brightness[:, None, None, None]
    lowest, highest = CONTRAST
    contrast = lowest + (highest - lowest) * drawn[:, _CONTRAST]
    means = tf.reduce_mean(cropped, axis=[1, 2], keepdims=True)  # [batch, 1, 1, 3]
    return tf.image.per_image_standardization(
        (cropped - means) * contrast[:, None, None, None] + means
    )


def centre(images: tf.Tensor) -> tf.Tensor:
    """The middle of each image, standardised (release): [batch, 24, 24, 3] float32."""
    top, left = (HEIGHT - CROP) // 2, (WIDTH - CROP) // 2
    cropped = images[:, top : top + CROP, left : left + CROP]  # [batch, 24, 24, 3]
    # Of integers TensorFlow would divide by 255 first, and so miss the release in dull images.
    return tf.image.per_image_standardization(tf.cast(cropped, tf.float32))


def draws(first: tf.Tensor, count: tf.Tensor, seed: int) -> tf.Tensor:
    """Uniform numbers in [0, 1) for examples at neighbouring positions: [count, 8] float32.

    Philox numbers its blocks of random bits. A position stands for two of them, so that one
    call draws for a whole batch, yet the numbers of an example do not depend on its batch.
    """
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.zeros([], tf.int64)])
    key, _ = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seeds)
    counter = tf.stack([tf.cast(first, tf.int64) * _BLOCKS, tf.zeros([], tf.int64)])
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([count, _BLOCKS * _BLOCK_DRAWS]),
        key=key,
        counter=tf.cast(counter, tf.uint64),
        alg=_PHILOX,
        dtype=tf.float32,
    )


def _crop(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, mirrored: tf.Tensor) -> tf.Tensor:
    """Crops each image at its own place: [batch, 24, 24, 3]."""
    along = tf.range(CROP)
    rows = rows[:, None] + along  # [batch, 24]
    columns = columns[:, None] + tf.where(mirrored[:, None], CROP - 1 - along, along)
    return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
