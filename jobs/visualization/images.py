"""Feature images of any data set as pictures to look at."""

import base64
import io

import numpy as np
from PIL import Image

FIRST_COLOUR = (0.0, 114 / 255, 178 / 255)  # blue and orange of Okabe and Ito's palette,
SECOND_COLOUR = (230 / 255, 159 / 255, 0.0)  # apart for every kind of colour blindness


def displayable(images: np.ndarray) -> np.ndarray:
    """Makes pictures [..., height, width, 3] in [0, 1] of images [..., height, width, depth].

    Pixels outside [0, 1], which standardised images have, are stretched from the image's lowest
    to its highest. Of two channels, a stereo pair, the second is shown to the right of the first;
    of more than three, their mean.
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

    Of pictures [..., targets, height, width, 3], a single target stays as it is; of two, the first
    is blue and the second orange, which add up to white where both are bright.
    """
    if pictures.shape[-4] == 1:
        return pictures[..., 0, :, :, :]
    brightness = pictures.mean(axis=-1, keepdims=True)  # [..., targets, height, width, 1]
    colours = np.array([FIRST_COLOUR, SECOND_COLOUR], np.float32)[:, None, None]
    return np.minimum((brightness * colours).sum(axis=-4), 1)


def montage(tiles: np.ndarray) -> np.ndarray:
    """Lays tiles [rows, columns, height, width, 3] out in one picture, a grey pixel between."""
    padded = np.pad(tiles, [(0, 0), (0, 0), (0, 1), (0, 1), (0, 0)], constant_values=0.5)
    return np.vstack([np.hstack(row) for row in padded])[:-1, :-1]


def encode_png(pixels: np.ndarray) -> bytes:
    """Pixels [height, width] or [height, width, 3] of 0 to 255 as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()


def embed_png(content: bytes) -> str:
    """A PNG as an address that holds it, so that a page needs no other file."""
    return f'data:image/png;base64,{base64.b64encode(content).decode()}'
