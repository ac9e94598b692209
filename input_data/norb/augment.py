"""What is done to a stereo pair before the network sees it (paper Section 7, release).

96x96 images are brought to 48x48 by taking every second pixel, which is what the release's
resizing does. Training changes brightness, then contrast about the channel means of these 48x48
pixels, then takes a random 32x32 crop; testing takes the central one. Each crop is standardised
in the end. That takes a change of brightness out again but for rounding, and leaves of a change
of contrast what it did to the difference between the two channels.
"""

import tensorflow as tf

from input_data import draws, photographs

CROP = 32  # pixels a side, paper Section 7
NUM_DRAWS = 4  # row, column, brightness, contrast


def halve(images: tf.Tensor) -> tf.Tensor:
    """Every second pixel of images [batch, height, width, depth], on both axes."""
    return images[:, ::2, ::2]


def distort(images: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
    """Brightness and contrast, a random crop, then standardisation.

    Args:
      images: uint8 [batch, 48, 48, 2]; they become float32 [batch, 32, 32, 2].
      drawn: float32 [batch, NUM_DRAWS] in [0, 1), as `draw_distortions` gives them.
    """
    # Only what is cropped is computed: nothing but the means depends on the other pixels.
    cropped = photographs.crop(images, drawn[:, :2], CROP)
    means = photographs.channel_means(images)
    return photographs.standardize(photographs.change_light(cropped, drawn[:, 2:], means))


def draw_distortions(positions: tf.Tensor, seed: int) -> tf.Tensor:
    """Float32 [batch, NUM_DRAWS] in [0, 1) for int64 positions [batch] that follow each other."""
    return draws.tensor_uniform(seed, 'norb', positions, NUM_DRAWS)


def centre(images: tf.Tensor) -> tf.Tensor:
    """The middle of each image [batch, 48, 48, 2], standardised: float32 [batch, 32, 32, 2]."""
    return photographs.standardize(photographs.crop_centre(images, CROP))
