"""Feature images of any data set as pictures to look at."""

import base64
import io

import numpy as np
from PIL import Image

FIRST_COLOUR = (0.0, 114 / 255, 178 / 255)  # blue and orange of Okabe and Ito's palette,
SECOND_COLOUR = (230 / 255, 159 / 255, 0.0)  # apart for every kind of colour blindness


def displayable(images: np.ndarray) -> np.ndarray:
    """Makes RGB pictures of feature images.

    Pixels outside [0, 1], which standardised images have, are stretched from the image's lowest
    to its highest. Of two channels, a stereo pair, the second is shown to the right of the first;
    of more than three, their mean.

    Args:
      images: [..., height, width, depth] floats.

    Returns:
      [..., height, width, 3] float32 in [0, 1]; twice as wide if depth is 2.
    """
    images = np.asarray(images, np.float32)
    if images.size and (images.min() < 0 or images.max() > 1):
        lowest = images.min(axis=(-3, -2, -1), keepdims=True)
        highest = images.max(axis=(-3, -2, -1), keepdims=True)
        images = (images - lowest) / np.maximum(highest - lowest, 1e-6)
    depth = images.shape[-1]
    if depth == 3:
        return images
    if depth == 2:
        images = np.concatenate([images[..., :1], images[..., 1:]], axis=-2)  # twice as wide
    elif depth > 3:
        images = images.mean(axis=-1, keepdims=True)  # [..., height, width, 1]
    return np.repeat(images, 3, axis=-1)  # [..., height, width, 3]


def overlay(pictures: np.ndarray) -> np.ndarray:
    """Shows the targets of an image in one picture (paper Fig. 5).

    Args:
      pictures: [..., targets, height, width, 3] as `displayable` gives them; one or two targets.

    Returns:
      [..., height, width, 3]: a single target as it is; of two, the first in blue and the second
      in orange, which add up to white where both are bright.
    """
    if pictures.shape[-4] == 1:
        return pictures[..., 0, :, :, :]
    brightness = pictures.mean(axis=-1, keepdims=True)  # [..., targets, height, width, 1]
    colours = np.array([FIRST_COLOUR, SECOND_COLOUR], np.float32)[:, None, None]
    return np.minimum((brightness * colours).sum(axis=-4), 1)


def montage(tiles: np.ndarray, gap: int = 1, gap_brightness: float = 0.5) -> np.ndarray:
    """Lays pictures out in a table.

    Args:
      tiles: [rows, columns, height, width, 3].
      gap: pixels between neighbours; there are none around the table.
      gap_brightness: of those pixels, 0 to 1.

    Returns:
      [rows * (height + gap) - gap, columns * (width + gap) - gap, 3]
    """
    rows, columns, height, width, _ = tiles.shape
    padded = np.full((rows, columns, height + gap, width + gap, 3), gap_brightness, np.float32)
    padded[:, :, :height, :width] = tiles
    table = padded.transpose(0, 2, 1, 3, 4)  # [rows, height + gap, columns, width + gap, 3]
    table = table.reshape(rows * (height + gap), columns * (width + gap), 3)
    return table[: len(table) - gap, : table.shape[1] - gap]


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    """Makes every pixel `factor` pixels wide and high: [..., height, width, 3] -> larger."""
    return picture.repeat(factor, axis=-3).repeat(factor, axis=-2)


def encode_png(pixels: np.ndarray) -> bytes:
    """uint8 pixels [height, width] or [height, width, 3] as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()


def embed_png(content: bytes) -> str:
    """A PNG as an address that holds it, so that a page needs no other file."""
    return f'data:image/png;base64,{base64.b64encode(content).decode()}'
