"""affNIST's transformations: draws of them, and images under them, in pure NumPy."""

from typing import NamedTuple

import numpy as np

from input_data.errors import DataError

# The ranges that affNIST was made with.
MAX_ROTATION = 20.0  # degrees
MAX_SHEAR = 0.2  # pixels to the side for each pixel of height
SCALES = (0.8, 1.2)  # on each axis

DRAWS = 6  # uniform numbers that one transformation takes


class Affine(NamedTuple):
    """Transformations that take a point (row, column) to matrix * point + offset."""

    matrix: np.ndarray  # float64 [k, 2, 2]
    offset: np.ndarray  # float64 [k, 2]


def choose_transformations(uniforms: np.ndarray, images: np.ndarray, side: int) -> Affine:
    """Rotation, shear and scales, then a move to anywhere where the whole digit is in the frame.

    Scales come first, then the shear along rows, then the rotation.

    Args:
      uniforms: [k, DRAWS] in [0, 1).
      images: uint8 [k, height, width], whose pixels above 0 are the digit.
      side: of the frame, in pixels.

    Raises:
      DataError: if an image is larger than the frame once transformed.
    """
    uniforms = uniforms.astype(np.float64)
    angle = np.deg2rad(MAX_ROTATION) * (2 * uniforms[:, 0] - 1)
    shear = MAX_SHEAR * (2 * uniforms[:, 1] - 1)
    rows, columns = (SCALES[0] + (SCALES[1] - SCALES[0]) * uniforms[:, 2:4]).T
    # Libraries differ in the last bit of these two, and in nothing else that is done here.
    cosine, sine = (np.round(each * 2.0**30) * 2.0**-30 for each in (np.cos(angle), np.sin(angle)))
    first = [(cosine - sine * shear) * rows, -sine * columns]
    second = [(sine + cosine * shear) * rows, cosine * columns]
    matrix = np.array([first, second]).transpose(2, 0, 1)  # [k, 2, 2]
    lowest, highest = _extent(matrix, images)
    # Pixels -1 and `side` are the first outside: there nothing of the digit may be left.
    room = (side - highest) - (-1 - lowest)  # [k, 2]
    if np.any(room < 0):
        raise DataError(
            f'--data_dir: found an image that does not fit into {side}x{side} pixels once '
            'transformed; expected digits of 20x20 pixels, as in MNIST'
        )
    return Affine(matrix, -1 - lowest + uniforms[:, 4:] * room)


def apply(affine: Affine, images: np.ndarray, side: int) -> np.ndarray:
    """Images under transformations, by bilinear interpolation: uint8 [k, side, side].

    Args:
      affine: k transformations of points of the images to points of the frame.
      images: uint8 [k, height, width], surrounded by zeros.
      side: of the frame, in pixels.
    """
    count, height, width = images.shape
    (a, b), (c, d) = np.moveaxis(affine.matrix, 0, -1)
    inverse = np.array([[d, -b], [-c, a]]) / (a * d - b * c)  # [2, 2, k]
    rows, columns = np.arange(side)[:, None] - affine.offset.T[:, None]  # [side, k] each
    source = [
        (across[0] * rows).T[:, :, None] + (across[1] * columns).T[:, None] for across in inverse
    ]  # [k, side, side] each
    corners, fractions = [], []
    for place, limit in zip(source, (height, width), strict=True):
        corner = np.floor(place)
        fractions.append((place - corner).astype(np.float32))
        # Two zeros lie before and after the image: farther away it is as black.
        corners.append(np.clip(corner, -2, limit).astype(np.int32) + 2)
    stride = width + 4
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.float32).ravel()
    first = (np.arange(count, dtype=np.int32) * ((height + 4) * stride))[:, None, None]
    first = first + corners[0] * np.int32(stride) + corners[1]  # [k, side, side]
    down, right = fractions
    upper = padded[first] * (1 - right) + padded[first + 1] * right
    lower = padded[first + stride] * (1 - right) + padded[first + stride + 1] * right
    return np.floor(upper * (1 - down) + lower * down + np.float32(0.5)).astype(np.uint8)


def _extent(matrix: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Between which rows and columns digits lie after a transformation: [k, 2] each.

    Bilinear interpolation spreads a pixel over the square of the eight around it.
    """
    ink = images > 0
    rows, columns = np.indices(images.shape[1:])
    places = matrix[:, :, 0, None, None] * rows + matrix[:, :, 1, None, None] * columns
    reach = np.abs(matrix).sum(axis=2)  # [k, 2]
    ink[~ink.any(axis=(1, 2)), 0, 0] = True  # a blank image lies somewhere, too
    where = ink[:, None]  # [k, 1, height, width]
    lowest = places.min(axis=(2, 3), where=where, initial=np.inf)
    highest = places.max(axis=(2, 3), where=where, initial=-np.inf)
    return lowest - reach, highest + reach
