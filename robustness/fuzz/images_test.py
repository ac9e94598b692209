"""Image files for --predict, and CIFAR-10 as PNG batches."""

import io
import json
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from common.errors import UserError
from input_data import image_files
from input_data.cifar10 import png_batches
from input_data.errors import DataError
from jobs.inference import any_image, predict
from robustness.fuzz.limits import file_of, only
from robustness.fuzz.mutations import near

SIDE = 28


def drawing(side: int = 30) -> np.ndarray:
    values = np.full((side, side), 235, np.uint8)
    values[side // 6 : -side // 6, side // 2 : side // 2 + 3] = 20
    return values


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def some_files() -> list[bytes]:
    """A small image in each format and mode that a reader takes another way."""
    image = Image.fromarray(drawing())
    colours = image.convert('RGB')
    turned = Image.Exif()
    turned[0x0112] = 6  # Orientation: to be turned by 90 degrees
    files = [saved(image, kind) for kind in ('PNG', 'JPEG', 'GIF', 'BMP', 'PPM', 'TIFF', 'ICO')]
    files += [
        saved(colours, 'WEBP', lossless=True),
        saved(colours, 'JPEG', exif=turned),
        saved(colours, 'PNG', exif=turned),
        saved(colours.quantize(4), 'PNG', transparency=1),
        saved(image.convert('LA'), 'PNG'),
        saved(colours.convert('RGBA'), 'TIFF', compression='tiff_deflate'),
        saved(colours.convert('CMYK'), 'JPEG'),
        saved(Image.fromarray(drawing().astype(np.uint16) * 257), 'PNG'),
        saved(Image.fromarray(drawing().astype(np.float32) / 255), 'TIFF'),
        saved(image.convert('1'), 'TIFF', compression='group4'),
        saved(image.convert('I'), 'TIFF'),
    ]
    return files


FILES = some_files()


def look_at(path: str) -> None:
    image = image_files.read_image(path)
    for prepare, depth in ((any_image.to_digit, 1), (image_files.to_picture, 3)):
        pixels = prepare(image, SIDE, SIDE)
        assert (pixels.shape, pixels.dtype) == ((SIDE, SIDE, depth), np.uint8)


def with_right_checksums(content: bytes) -> bytes:
    """A PNG whose chunks are taken for whole, whatever they hold."""
    fixed, rest = content[:8], content[8:]
    while len(rest) >= 12:
        size = min(struct.unpack('>I', rest[:4])[0], len(rest) - 12)
        body = rest[4 : 8 + size]
        fixed += rest[:4] + body + struct.pack('>I', zlib.crc32(body))
        rest = rest[12 + size :]
    return fixed + rest


@given(st.sampled_from(FILES).flatmap(near))
def test_images(content):
    with file_of(content) as path, only(UserError):
        look_at(path)


PNGS = [content for content in FILES if content.startswith(b'\x89PNG')]


@given(st.sampled_from(PNGS).flatmap(near).map(with_right_checksums))
def test_pngs_of_right_checksums(content):
    with file_of(content) as path, only(UserError):
        look_at(path)


@pytest.mark.parametrize('number', range(len(FILES)))
def test_whole_images_are_read(number):
    with file_of(FILES[number]) as path:
        look_at(path)


FLOATS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=st.one_of(st.floats(width=32), st.sampled_from([0, 1, 255, 65535])),
)


@given(FLOATS)
@example(np.array([[np.nan, 1], [0, 255]], np.float32))
@example(np.array([[np.inf, -np.inf], [0, 1]], np.float32))
@example(np.array([[-3e38, 3e38], [0, 1]], np.float32))
def test_images_of_any_floats(values):
    with file_of(saved(Image.fromarray(values), 'TIFF')) as path, only(UserError):
        look_at(path)


@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=40)).map(
        lambda values: np.resize(values, (*values.shape[:2], 4))
    )
)
def test_images_of_any_colours_and_opacity(values):
    with file_of(saved(Image.fromarray(values), 'PNG')) as path, only(UserError):
        look_at(path)


@pytest.mark.parametrize('size', [(8000, 8000), (64_000_000 // 28, 28), (28, 64_000_000 // 28)])
@pytest.mark.parametrize('mode', ['L', 'RGBA', 'I;16'])
def test_largest_images(size, mode):
    image = Image.new(mode, size)
    colour = {'L': 255, 'RGBA': (255, 255, 255, 200), 'I;16': 65535}[mode]
    image.paste(colour, (5, 5, size[0] - 5, size[1] - 5))
    with file_of(saved(image, 'TIFF', compression='packbits')) as path:
        del image
        with only(UserError):
            look_at(path)


def test_icon_with_a_large_image_inside():
    inside = saved(Image.new('1', (10_000, 10_000)), 'PNG')
    header = struct.pack('<3H', 0, 1, 1) + struct.pack('<4B2H2I', 9, 9, 0, 0, 1, 1, len(inside), 22)
    with (
        file_of(header + inside) as path,
        only(),
        pytest.raises(UserError, match='10000x10000 pixels|100000000 pixels'),
    ):
        image_files.read_image(path)


def test_format_that_unpacks_without_limit():
    cards = ['SIMPLE  =                    T', 'BITPIX  =                    8']
    cards += ['NAXIS   =                    2', 'NAXIS1  =   1', 'NAXIS2  =   1', 'END']
    header = ''.join(card.ljust(80) for card in cards).ljust(2880).encode()
    with (
        file_of(header + bytes(2880)) as path,
        only(),
        pytest.raises(UserError, match='file: found FITS; expected PNG'),
    ):
        image_files.read_image(path)


@given(st.text('a.,*?[]!/ ', max_size=20))
def test_names_of_images(pattern):
    with only(UserError):
        assert predict.find_images(f'nowhere/{pattern}')


ROWS = np.random.default_rng(0).integers(0, 256, (3, 1024, 3)).astype(np.uint8)
BATCH = saved(Image.fromarray(ROWS), 'PNG')


def convert(batch: bytes = BATCH, labels: bytes = b'[1, 0, 9]') -> None:
    """Converts a package whose test batch and its labels are these."""
    with file_of(b'') as path:
        folder = pathlib.Path(path).parent
        for name in png_batches.TRAIN_BATCHES:
            (folder / f'{name}.png').write_bytes(BATCH)
        (folder / f'{png_batches.TEST_BATCH}.png').write_bytes(batch)
        (folder / png_batches.TRAIN_LABELS).write_text(json.dumps([7] * 15))
        (folder / png_batches.TEST_LABELS).write_bytes(labels)
        with only(DataError, naming='test_'):
            png_batches.convert(str(folder))
            assert os.path.getsize(folder / 'test_batch.bin') == 3 * 3073


@given(st.one_of(near(BATCH), near(BATCH).map(with_right_checksums)))
def test_png_batch(content):
    convert(batch=content)


@given(
    st.one_of(
        near(b'[1, 0, 9]'),
        st.recursive(st.integers() | st.text(), st.lists).map(
            lambda value: json.dumps(value).encode()
        ),
    )
)
@example(b'[' * 100_000)
@example(b'[' + b'9' * 5000 + b']')
@example(json.dumps(['a' * 1_000_000, *[''] * 2000]).encode())
@example(b'\xff\xfe')
def test_png_labels(content):
    convert(labels=content)


def test_png_bombs():
    rows = 400_000
    header = struct.pack('>2I5B', 1024, rows, 8, 2, 0, 0, 0)
    bomb = b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
        for kind, body in ((b'IHDR', header), (b'IDAT', zlib.compress(bytes(1 << 24))))
    )
    convert(batch=bomb)
    convert(batch=bomb, labels=json.dumps([1] * rows).encode())
