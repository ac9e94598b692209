"""Any image of a digit -> one like those that MNIST shows."""

import numpy as np
from PIL import Image, ImageFilter

from common.errors import UserError
from input_data import image_files

# MNIST's own treatment of its scans: the digit fits a 20x20 box, whose centre of mass is put
# into the middle of 28x28 pixels (LeCun et al., 1998).
DIGIT_BOX, MNIST_SIDE = 20, 28
FLAT = 8  # of 255: a smaller difference between ink and paper is no drawing
NOISE = 0.1  # of the strongest ink: what is fainter is paper
EDGE = 0.3  # of full ink: what is stronger counts for the box around the digit
DIMMEST = 0.15  # of the brightest light: with less, noise would be raised to ink
# So much of full ink on so much of the border: light that is not made up for.
UNEVEN, MOST_UNEVEN = 0.15, 0.07
FITS = 20  # of the light, each with less weight on what the one before missed
SMALL, BROAD = 63, 25  # pixels: no stroke is so broad in an image whose longer side has so many


def to_digit(image: Image.Image, height: int, width: int) -> np.ndarray:
    """A drawing of a digit as MNIST would show it: light ink on black, centred.

    Dark ink on a light ground is turned over; the ground becomes 0, full ink 255. The
    drawing fits 20/28 of the height and width and its centre of mass is in the middle, as in
    MNIST. An image of exactly the wanted size is taken to be of that kind already: it is only
    turned over where its ground is light.

    Returns:
      uint8 [height, width, 1].

    Raises:
      UserError: if the image shows one colour.
    """
    grey = _grey(image)  # [height, width] of the file
    ground = _ground(grey)
    ink = grey - ground
    if np.ptp(ink) < FLAT:
        raise UserError('found an image of one colour; expected a digit')
    is_dark = -ink.min() > ink.max()
    if grey.shape == (height, width):
        shown = np.round(255 - grey if is_dark else grey)
        return shown.astype(np.uint8)[..., None]  # [height, width, 1]
    ink = -ink if is_dark else ink
    if ground.ndim:  # where there is less light, ink and paper differ by less
        ink /= ground + DIMMEST * ground.max()
    paper = np.abs(_border(ink))
    ink[ink < NOISE * ink.max()] = 0
    # Full strength is what half of all ink reaches. Measured by the strongest pixel, a speck or
    # the rim that JPEG gives a stroke would pale the rest.
    rising = np.sort(ink, axis=None)
    amount = np.cumsum(rising, dtype=np.float64)
    full = rising[np.searchsorted(amount, amount[-1] / 2)]
    ink = np.clip(ink / full, 0, 1)
    is_uneven = ground.ndim and np.mean(paper > UNEVEN * full) > MOST_UNEVEN
    if is_uneven or _has_broad_area(ink > EDGE):
        raise UserError('found shadows or other broad areas; expected a digit on plain paper')
    fitted = _fit(ink, height, width)  # [height, width] of the result
    return np.round(255 * fitted).astype(np.uint8)[..., None]  # [height, width, 1]


def _grey(image: Image.Image) -> np.ndarray:
    """Grey values 0..255 as float32 [height, width]; transparent parts show a ground to the ink."""
    if image.mode[0] in 'IF':  # more than 8 bits a pixel, which Pillow would cut off
        return image_files.scale_deep(image)
    # In floats: MNIST's own images go through unchanged.
    if not image.has_transparency_data:
        return np.asarray(image.convert('L'), np.float32)
    layered = image.convert('RGBA')
    opacity = np.asarray(layered.getchannel('A'), np.float32) / 255
    drawn = np.asarray(layered.convert('L'), np.float32)
    shade = np.average(drawn, weights=opacity) if opacity.any() else 0
    ground = 0 if shade > 127 else 255
    return drawn * opacity + ground * (1 - opacity)


def _border(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def _ground(grey: np.ndarray) -> np.ndarray:
    """How bright the paper is, told from the border; one number where it is lit evenly.

    Else [height, width]: of the root of light, which lies between even and sharp falls of it, a
    polynomial of second degree with the least sum of absolute differences, so that ink that
    crosses the border does not bend it.
    """
    border = _border(grey)
    level = np.median(border)
    if np.median(np.abs(border - level)) < FLAT:
        return level
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in grey.shape)
    y, x = (_border(np.broadcast_to(axis, grey.shape)) for axis in (rows[:, None], columns))
    terms = np.stack([np.ones_like(x), x, x * x, y, y * y, x * y], axis=1)  # [pixels, 6]
    wanted, weights = np.sqrt(border), np.ones_like(border)
    for _ in range(FITS):
        scaled = terms * weights[:, None]
        factors = np.linalg.lstsq(scaled, wanted * weights, rcond=None)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(wanted - terms @ factors), 0.01))
    of_columns = factors[0] + factors[1] * columns + factors[2] * columns**2
    of_rows = factors[3] * rows + factors[4] * rows**2
    return (of_columns + of_rows[:, None] + factors[5] * rows[:, None] * columns) ** 2


def _has_broad_area(is_ink: np.ndarray) -> bool:
    """Whether ink fills a square, which at the border may go on outside of the image."""
    size = [max(1, round(SMALL * length / max(is_ink.shape))) for length in is_ink.shape]
    small = Image.fromarray(is_ink).convert('L').resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(small.filter(ImageFilter.MinFilter(BROAD))).max() > 127


def _fit(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cuts the drawing out, scales it and puts its centre of mass into the middle."""
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis)) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box = [round(side * DIGIT_BOX / MNIST_SIDE) for side in (height, width)]
    scale = min(box[0] / cut.shape[0], box[1] / cut.shape[1])
    size = [max(1, round(side * scale)) for side in cut.shape]
    resized = Image.fromarray(cut).resize(size[::-1], Image.Resampling.BILINEAR)
    small = np.asarray(resized)  # [at most box height, at most box width]
    fitted = np.zeros((height, width), np.float32)
    starts = []
    for axis, side in enumerate((height, width)):
        mass = small.sum(1 - axis)
        centre = np.average(np.arange(len(mass)) + 0.5, weights=mass)
        starts.append(int(np.clip(round(side / 2 - centre), 0, side - len(mass))))
    top, left = starts
    fitted[top : top + size[0], left : left + size[1]] = small
    return fitted
