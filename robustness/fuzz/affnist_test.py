"""affNIST's MATLAB files: SciPy writes the whole ones and reads them, in a process of its own."""

import functools
import pathlib
import struct
import tempfile
import zlib

import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from input_data.affnist import raw, testing
from input_data.errors import DataError
from robustness.fuzz.limits import file_of, only
from robustness.fuzz.mutations import fields, near

HEADER = b'MATLAB 5.0'.ljust(124) + struct.pack('<H', 0x100) + b'IM'


@functools.cache
def whole(compressed: bool) -> bytes:
    images, labels = testing.upright_digits(3)
    columns = images.reshape(3, 1600).T
    with tempfile.TemporaryDirectory() as folder:
        data = {'affNISTdata': {'id': [1, 2, 3], 'image': columns, 'label_int': labels[None]}}
        scipy.io.savemat(f'{folder}/x.mat', data, do_compression=compressed)
        return pathlib.Path(folder, 'x.mat').read_bytes()


def element(kind: int, content: bytes, size: int | None = None) -> bytes:
    head = struct.pack('<2I', kind, len(content) if size is None else size)
    return head + content + bytes(-len(content) % 8)


def matrix(kind: int, shape: tuple[int, ...], content: bytes, name: bytes = b'') -> bytes:
    """A matrix of a class; `content` is what follows its name."""
    head = element(6, struct.pack('<2I', kind, 0))
    head += element(5, struct.pack(f'<{len(shape)}i', *shape))
    return element(14, head + element(1, name) + content)


def struct_of(**values: bytes) -> bytes:
    names = b''.join(name.encode().ljust(32, b'\0') for name in values)
    content = struct.pack('<2HI', 5, 4, 32) + element(1, names) + b''.join(values.values())
    return matrix(2, (1, 1), content, b'affNISTdata')


def compress(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return struct.pack('<2I', 15, len(packed)) + packed


def read(content: bytes) -> None:
    with file_of(content) as path, only(DataError, naming=path):
        images, labels = raw.read(path)
        assert images.shape == (len(labels), 40, 40)


def refuse(content: bytes, message: str) -> None:
    with file_of(content) as path, only(), pytest.raises(DataError, match=f'{path}: {message}'):
        raw.read(path)


@given(st.data())
def test_damaged_files(data):
    content = whole(data.draw(st.booleans()))
    read(data.draw(near(content, fields(128, '<16I'))))


def test_boxes_in_boxes_without_end():
    box = matrix(6, (1, 1), element(9, struct.pack('<d', 1)))
    head = element(6, struct.pack('<2I', 1, 0)) + element(5, struct.pack('<2i', 1, 1))
    head += element(1, b'')
    boxes, size = [box], len(box)
    for _ in range(100_000):
        boxes.append(struct.pack('<2I', 14, size + len(head)) + head)
        size += 8 + len(head)
    content = compress(struct_of(image=b''.join(reversed(boxes))))
    refuse(HEADER + content, r'found no readable MATLAB file \(it ended its reader')


@pytest.mark.parametrize('kind', [1, 2, 4, 5, 9])
def test_sizes_that_promise_too_much(kind):
    image = matrix(kind, (30_000, 30_000), element(2, b'some'))
    refuse(HEADER + struct_of(image=image, label_int=image), 'found no readable MATLAB file')


@pytest.mark.parametrize('name', [b'affNISTdata', b'before'])
def test_bombs(name):
    shape = (1600, 1_342_177)
    count = shape[0] * shape[1]
    image = matrix(9, shape, struct.pack('<2I', 2, count))
    start = struct_of(image=image[:4] + struct.pack('<I', count + 64) + image[8:])
    start = start.replace(b'affNISTdata', name.ljust(11, b' '))
    zeros = zlib.compressobj()
    content = zeros.compress(start[:4] + struct.pack('<I', count + 256) + start[8:])
    content += zeros.flush(zlib.Z_FULL_FLUSH)
    # Nothing of what was flushed is known after it: it may stand there many times.
    content += (zeros.compress(bytes(1 << 24)) + zeros.flush(zlib.Z_FULL_FLUSH)) * (count >> 24)
    content += zeros.flush()
    refuse(HEADER + struct.pack('<2I', 15, len(content)) + content, 'found no ')
