"""Image files of anybody's, in any format that Pillow reads, as arrays of pixels."""

import concurrent.futures
import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image, ImageOps

from common.errors import UserError

MAX_PIXELS = 64_000_000  # 256 MB as RGBA; larger than a phone takes, small enough to unpack
LONG_SIDE = 2048  # pixels; images twice as long are reduced before they are computed with
MORE_FRAMES = 'more frames'  # whether a file holds more than the image that is read
# Others that Pillow knows run programs (EPS) or unpack without limit (FITS).
FORMATS = ('PNG', 'JPEG', 'MPO', 'GIF', 'BMP', 'DIB', 'WEBP', 'TIFF', 'PPM', 'ICO', 'AVIF')
_AT_ONCE = 256  # files that threads are given together


def read_image(path: str) -> Image.Image:
    """Reads the first frame of an image file, turned as its camera says.

    It is of mode L, RGB, RGBA, or F where a pixel has more than 8 bits; `info` tells `MORE_FRAMES`.

    Raises:
      UserError: if it is missing, no image, damaged or too large.
    """
    with _limits():
        return _read(path)


def read_images(
    paths: Sequence[str], prepare: Callable[[Image.Image], np.ndarray]
) -> Iterator[np.ndarray | UserError]:
    """What `prepare` makes of each file, as `read_image` reads it, or why it cannot be read."""

    def read(path: str) -> np.ndarray | UserError:
        try:
            image = _read(path)
            with _naming(path):
                return prepare(image)
        except UserError as error:
            return error

    with _limits(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(paths), _AT_ONCE):
            yield from threads.map(read, paths[start : start + _AT_ONCE])


def are_grey(paths: Sequence[str]) -> bool:
    """Whether all files that can be read have shades of grey alone, as their headers tell."""
    with _limits():
        return all(map(_is_grey, paths))


def to_picture(image: Image.Image, height: int, width: int, depth: int = 3) -> np.ndarray:
    """The middle of an image as uint8 [height, width, depth]; transparent parts are white.

    Args:
      image: as `read_image` gives it.
      height: to scale it to, its proportions kept.
      width: as `height`.
      depth: 3 for colours, 1 for shades of grey.

    Raises:
      UserError: if a pixel is no finite number.
    """
    mode = 'L' if depth == 1 else 'RGB'
    if image.mode[0] in 'IF':
        image = Image.fromarray(np.round(scale_deep(image)).astype(np.uint8))
    elif image.has_transparency_data:
        layered = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', layered.size, 'white'), layered)
    fitted = ImageOps.fit(image.convert(mode), (width, height), Image.Resampling.BICUBIC)
    return np.asarray(fitted).reshape(height, width, depth)


def scale_deep(image: Image.Image) -> np.ndarray:
    """Pixels of more than 8 bits as float32 [height, width] from 0 to 255.

    Raises:
      UserError: if one is no finite number.
    """
    values = np.asarray(image, np.float32)
    if not np.isfinite(values).all():
        raise UserError('found a pixel that is no finite number; expected all to be')
    full = next((full for full in (1, 255, 65535) if values.max() <= full), values.max())
    return np.clip(values, 0, full) / full * 255


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Keeps Pillow from unpacking more than MAX_PIXELS, icons inside of icons included."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = MAX_PIXELS
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _read(path: str) -> Image.Image:
    """`read_image` within `_limits`, which hold for all threads."""
    if not os.path.isfile(path):  # where pathlib would raise what it makes of odd names
        found = 'found no regular file' if os.path.lexists(path) else 'no such file'
        raise UserError(f'{path}: {found}')
    with _naming(path), Image.open(path) as image:
        if image.format not in FORMATS:
            raise UserError(
                f'found {image.format}; expected PNG, JPEG, GIF, BMP, TIFF, WEBP or the like'
            )
        # A camera's MPO holds previews of its one picture.
        several = image.format != 'MPO' and getattr(image, 'is_animated', False)
        ImageOps.exif_transpose(image, in_place=True)
        plain = _plain(image)
        plain.info[MORE_FRAMES] = several
        return plain


@contextlib.contextmanager
def _naming(path: str) -> Iterator[None]:
    """Turns whatever a decoder raises into a UserError that names the file."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{path}: {error}') from None
    except Image.UnidentifiedImageError:
        raise UserError(
            f'{path}: found no image; expected PNG, JPEG, GIF, BMP or the like'
        ) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        found = re.search(r'\d+', str(error)) or ['more']
        raise UserError(f'{path}: found {found[0]} pixels; expected {MAX_PIXELS} at most') from None
    except Exception as error:  # a decoder raises whatever it stumbles over in a damaged file
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise UserError(f'{path}: cannot be read as an image: {reason}') from error


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


def _is_grey(path: str) -> bool:
    if not os.path.isfile(path):
        return True
    try:
        with Image.open(path) as image:
            return image.mode in ('1', 'L', 'LA', 'La') or image.mode[0] in 'IF'
    except Exception:  # as in `_naming`; it is told of when the file is read
        return True
