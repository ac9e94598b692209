"""Record files as the release wrote them, byte for byte, for tests that must run in every clone.

Its writer was TensorFlow 1's: a protocol buffer whose map entries stand in the order of a hash, one
of a few orders for each kind of record. Here the bytes are put together from the format alone;
`released_records_test.py` compares them with the release's own files where these are at hand.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from input_data import testing

RELEASED = pathlib.Path(__file__).parents[2] / 'shared' / 'testdata' / 'released'

SINGLES = ('height', 'width', 'image_raw', 'label', 'depth')
PAIRS = (
    *('label_2', 'label_1', 'image_raw_2', 'depth'),
    *('height', 'width', 'image_raw_1', 'merged_raw'),
)
TOYS = ('width', 'image_raw', 'label', 'meta', 'depth', 'height')

Values = dict[str, bytes | list[int]]  # of a record's features


def released_folders(made: str) -> list[pathlib.Path]:
    """`made`, filled with files in the release's layout, and the release's own where they are."""
    write_released(made)
    return [pathlib.Path(made), *[RELEASED] * RELEASED.exists()]


def write_released(folder: str) -> None:
    """Writes files with the names, sizes and classes of those that the release shipped."""
    generator = np.random.default_rng(0)
    digit = np.zeros((32, 32), np.uint8)
    digit[6:24, 8:22] = generator.integers(1, 256, (18, 14))
    # Moves of one digit, by (-2, -2) to (-2, 1): the first of its 25.
    moved = [digit[4:, 4 - move : 32 - move] for move in range(4)]
    for name, label in (('train_2', 5), ('test_0', 7)):
        records = [encode_example(SINGLES, single(image, label)) for image in moved]
        testing.write_records(f'{folder}/{name}shifted_mnist.tfrecords', records)
    for split, label, shards in (('train', 5, 3), ('test', 7, 2)):
        for shard in range(shards):
            images = generator.integers(0, 256, (2, 2, 36, 36)).astype(np.uint8)
            records = [encode_example(PAIRS, pair(a, b, (label, shard))) for a, b in images]
            name = f'multi{split}_4shifted_mnist.tfrecords-{shard:05d}-of-{shards:05d}'
            testing.write_records(f'{folder}/{name}', records)
    ramp = np.add.outer(np.arange(96), np.arange(96)).astype(np.uint8)  # neighbours are alike
    for split in ('train', 'test'):
        toys = [toy(np.stack([ramp, ramp.T]), label) for label in (0, 1, 2, 3, 4, 0)]
        records = [encode_example(TOYS, values) for values in toys]
        testing.write_records(f'{folder}/{split}duo.tfrecords', records)


def single(image: np.ndarray, label: int) -> Values:
    height, width = image.shape
    sizes: Values = {'height': [height], 'width': [width], 'depth': [1]}
    return {**sizes, 'label': [label], 'image_raw': image.tobytes()}


def pair(first: np.ndarray, second: np.ndarray, labels: tuple[int, int]) -> Values:
    merged = np.minimum(first.astype(int) + second, 255).astype(np.uint8)
    return {
        **{'height': [first.shape[0]], 'width': [first.shape[1]], 'depth': [1]},
        **{'label_1': [labels[0]], 'label_2': [labels[1]], 'merged_raw': merged.tobytes()},
        **{'image_raw_1': first.tobytes(), 'image_raw_2': second.tobytes()},
    }


def toy(images: np.ndarray, label: int) -> Values:
    depth, height, width = images.shape
    sizes: Values = {'height': [height], 'width': [width], 'depth': [depth]}
    return {**sizes, 'label': [label], 'meta': [8, 6, 4, 4], 'image_raw': images.tobytes()}


def encode_example(order: Sequence[str], values: Values) -> bytes:
    """A tf.train.Example with its features in a given order, from protobuf's wire format."""
    entries = b''
    for name in order:
        value = values[name]
        if isinstance(value, bytes):
            feature = _field(1, _field(1, value))  # bytes_list
        else:
            feature = _field(3, _field(1, b''.join(map(_varint, value))))  # int64_list, packed
        entries += _field(1, _field(1, name.encode()) + _field(2, feature))
    return _field(1, entries)


def _field(number: int, content: bytes) -> bytes:
    """A field of the wire type that has a length."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    start = b''
    while value > 127:
        start += bytes([value & 127 | 128])
        value >>= 7
    return start + bytes([value])
