"""Any image file -> an image like those the network was trained on."""

import os
import warnings

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from common.errors import UserError

MAX_PIXELS = 64_000_000  # 256 MB as RGBA; larger than a phone takes, small enough to unpack
LONG_SIDE = 2048  # pixels; images twice as long are reduced before they are computed with
MORE_FRAMES = 'more frames'  # whether a file holds more than the image that is read
# Others that Pillow knows run programs (EPS) or unpack without limit (FITS).
FORMATS = ('PNG', 'JPEG', 'MPO', 'GIF', 'BMP', 'DIB', 'WEBP', 'TIFF', 'PPM', 'ICO', 'AVIF')
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


def read_image(path: str) -> Image.Image:
    """Reads the first frame of an image file, turned as its camera says.

    It is of mode L, RGB, RGBA, or F where a pixel has more than 8 bits; `info` tells `MORE_FRAMES`.

    Raises:
      UserError: if it is missing, no image, damaged or too large.
    """
    if not os.path.isfile(path):  # where pathlib would raise what it makes of odd names
        found = 'found no regular file' if os.path.lexists(path) else 'no such file'
        raise UserError(f'{path}: {found}')
    limit = Image.MAX_IMAGE_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = None  # the size is looked at below, and told
            with Image.open(path) as image:
                _check_kind(image)
                Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # for images inside of images, as in icons
                # A camera's MPO holds previews of its one picture.
                several = image.format != 'MPO' and getattr(image, 'is_animated', False)
                ImageOps.exif_transpose(image, in_place=True)
                plain = _plain(image)
                plain.info[MORE_FRAMES] = several
                return plain
    except UserError as error:
        raise UserError(f'{path}: {error}') from None
    except Image.UnidentifiedImageError:
        raise UserError(
            f'{path}: found no image; expected PNG, JPEG, GIF, BMP or the like'
        ) from None
    except Exception as error:  # a decoder raises whatever it stumbles over in a damaged file
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise UserError(f'{path}: cannot be read as an image: {reason}') from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


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


def to_photograph(image: Image.Image, height: int, width: int) -> np.ndarray:
    """The middle of an image as uint8 [height, width, 3]; transparent parts are white."""
    layered = image.convert('RGBA')
    paper = Image.new('RGBA', layered.size, 'white')
    colours = Image.alpha_composite(paper, layered).convert('RGB')
    return np.asarray(ImageOps.fit(colours, (width, height), Image.Resampling.BICUBIC))


def _check_kind(image: Image.Image) -> None:
    if image.format not in FORMATS:
        raise UserError(
            f'found {image.format}; expected PNG, JPEG, GIF, BMP, TIFF, WEBP or the like'
        )
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(f'found {width}x{height} pixels; expected {MAX_PIXELS} at most')


def _plain(image: Image.Image) -> Image.Image:
    """An image in one of few modes, and not too large to compute with."""
    if image.mode[0] in 'IF':  # more than 8 bits a pixel, which other modes would cut off
        mode = 'F'
    elif image.has_transparency_data:
        mode = 'RGBA'
    else:
        mode = 'L' if image.mode in ('1', 'L') else 'RGB'
    factor = max(image.size) // LONG_SIDE
    plain = image.convert(mode)
    return plain.reduce(factor) if factor > 1 else plain


def _grey(image: Image.Image) -> np.ndarray:
    """Grey values 0..255 as float32 [height, width]; transparent parts show a ground to the ink."""
    if image.mode[0] in 'IF':  # more than 8 bits a pixel, which Pillow would cut off
        values = np.asarray(image, np.float32)
        if not np.isfinite(values).all():
            raise UserError('found a pixel that is no finite number; expected all to be')
        full = next((full for full in (1, 255, 65535) if values.max() <= full), values.max())
        return np.clip(values, 0, full) / full * 255
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
