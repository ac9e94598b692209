"""How the release shows CIFAR-10 to the network: random crops of training images, and more."""

import tensorflow as tf

from input_data import draws, photographs

CROP = 24  # height and width of what the network sees, in pixels
NUM_DRAWS = 5  # row, column, mirror image, brightness, contrast


def distort(images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
    """Random crop, mirror image, brightness and contrast, then standardisation (release).

    As in the release, pixels are not clipped at 0 and 255.

    Args:
      images: uint8 [batch, 32, 32, 3]; they become float32 [batch, 24, 24, 3].
      drawn: float32 [batch, NUM_DRAWS] in [0, 1), as `draw_distortions` gives them.
    """
    return change_light(crop(images, drawn, CROP), drawn)


def crop(images: tf.Tensor, drawn: tf.Tensor, side: int) -> tf.Tensor:
    """The part of `distort` that moves pixels; crops are [batch, side, side, depth]."""
    return photographs.crop(images, drawn[:, :2], side, mirrored=drawn[:, 2] < 0.5)


def change_light(cropped: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
    """The part of `distort` that changes them."""
    means = photographs.channel_means(cropped)
    return photographs.standardize(photographs.change_light(cropped, drawn[:, 3:], means))


def draw_distortions(positions: tf.Tensor, seed: int) -> tf.Tensor:
    """Float32 [batch, NUM_DRAWS] in [0, 1) for int64 positions [batch] that follow each other."""
    return draws.tensor_uniform(seed, 'cifar10', positions, NUM_DRAWS)


def centre(images: tf.Tensor) -> tf.Tensor:
    """The middle of each image, standardised (release): [batch, 24, 24, 3] float32."""
    return photographs.standardize(photographs.crop_centre(images, CROP))
