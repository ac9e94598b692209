"""Reads the records that `mnist_shift.py` writes: single digits and MultiMNIST pairs."""

import dataclasses
import functools
import glob
import os
import re

import tensorflow as tf

from input_data import batching
from input_data.batching import Features, Raw
from input_data.errors import DataError
from input_data.records import paths, read
from input_data.records.frames import RecordFiles
from input_data.records.schema import Schema
from input_data.request import DatasetInfo, InputRequest, RawImages

TRAIN_SHIFT, TEST_SHIFT = 2, 0  # the files of a directory that the release reads
MNIST_CLASSES = 10
EVAL_SIZE = 10_000  # MNIST's test set, and the release's default for any
LABEL_SAMPLE = 10_000  # records that are searched for classes beyond MNIST's ten
MOST_CLASSES = 256  # labels of raw files are bytes

SINGLES = Schema(
    kind='1 target(s)',
    images=('image_raw',),
    depth=1,
    sides=range(1, 4097),
    size='a one-channel image of 1 to 4096 pixels a side',
    num_classes=MOST_CLASSES,
    suspect='--num_targets or --dataset',
)
PAIRS = dataclasses.replace(
    SINGLES,
    kind='2 target(s)',
    images=('merged_raw', 'image_raw_1', 'image_raw_2'),
    labels=('label_1', 'label_2'),
)
SCHEMAS = {1: SINGLES, 2: PAIRS}  # by the number of targets


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of digits from record files, pixels in [0, 1].

    Image sizes are those of the first record. There are ten classes, or more if labels are
    higher than 9 (EMNIST). See `input_data.inputs` for the batches.

    Raises:
      DataError: if files are missing, corrupt, or hold records of another kind or size.
    """
    found = find(request)
    files, schema = _open(request, found)
    size = schema.height, schema.width, schema.depth
    info = DatasetInfo(*size, schema.num_classes, request.num_targets)
    batches, info = batching.cut(
        read.open_examples(files, schema, request.limit),
        request,
        info,
        lambda batch: to_features(batch.raw, info),
    )
    return batches, dataclasses.replace(info, note=_note(request, found, info.num_examples))


def check(request: InputRequest) -> None:
    """Raises DataError that names the first broken example, or its file."""
    read.check(*_open(request, find(request)))


def raw_images(info: DatasetInfo) -> RawImages:
    """Digits of the network's size; see `input_data.raw_images`."""
    return RawImages((info.height, info.width, info.depth), to_input)


def to_input(pixels: tf.Tensor) -> tf.Tensor:
    """uint8 pixels -> float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) / 255


def to_features(raw: Raw, info: DatasetInfo) -> Features:
    """Pixels by the names that records have for them, and labels -> features."""
    images, *targets = (
        to_input(tf.reshape(raw[name], [-1, info.height, info.width, info.depth]))
        for name in SCHEMAS[info.num_targets].images
    )
    return batching.make_features(images, raw['labels'], info.num_classes, targets)


def find(request: InputRequest) -> list[str]:
    """The record files of a request.

    In a directory: the release's file names (shift 2 for training, 0 for testing); where there
    are none, the files of whatever one shift is there.

    Raises:
      DataError: if there are none, or files of several shifts to choose from.
    """
    names = _default_names(request)
    here = functools.partial(os.path.join, glob.escape(request.data_dir))
    if not os.path.isdir(request.data_dir) or any(glob.glob(here(f'{name}*')) for name in names):
        return paths.resolve(request.data_dir, names)
    pattern = re.sub(r'_\d+shifted', '_*shifted', names[0])
    shifts = sorted({_without_shard(path) for path in glob.glob(here(f'{pattern}*'))})
    if len(shifts) > 1:
        raise DataError(
            f'--data_dir={request.data_dir}: found {", ".join(shifts)}; name the one to read'
        )
    if not shifts:
        raise DataError(_how_to_make(request, names))
    return paths.resolve(request.data_dir, shifts or names)


def _how_to_make(request: InputRequest, names: list[str]) -> str:
    """Which records are missing, and what makes them."""
    held_out = 'valid_' if request.validate else ''
    kind = ' --multi_targets=true' if request.num_targets == 2 else ''
    commands = [
        f'python input_data/mnist/mnist_shift.py --data_dir={request.data_dir} '
        f'--split={held_out}{split} --shift={shift}{kind}'
        for split, shift in (('train', TRAIN_SHIFT), ('test', TEST_SHIFT))
    ]
    return (
        f'--data_dir={request.data_dir}: found no {" or ".join(names)} in this directory; '
        f'expected what these two make: {commands[0]} ; {commands[1]}'
    )


def _default_names(request: InputRequest) -> list[str]:
    """The names that the release gives the files of a request."""
    prefix = 'multi' if request.num_targets == 2 else ''
    shift = TRAIN_SHIFT if request.split == 'train' else TEST_SHIFT
    if not request.validate:
        return [f'{prefix}{request.split}_{shift}shifted_mnist.tfrecords']
    return [
        f'{prefix}valid_{request.split}_{shift}shifted_mnist.tfrecords',
        # What the release's reader asked for, which its writer did not write.
        f'{prefix}{request.split}_{shift}shifted_mnist_valid.tfrecords',
    ]


def _without_shard(path: str) -> str:
    return re.sub(r'-\d{5}-of-\d{5}$', '', os.path.basename(path))


def _note(request: InputRequest, found: list[str], num_examples: int) -> str:
    """Of how many digits the examples are shifts, and which file stands in for a default one.

    `mnist_shift.py` writes all shifts of a digit, one after the other (release).
    """
    notes, name, defaults = [], _without_shard(found[0]), _default_names(request)
    shift = re.search(r'_(\d+)shifted_mnist', name)
    if request.num_targets == 1 and shift and int(shift[1]):
        shifts = (2 * int(shift[1]) + 1) ** 2
        notes.append(f'(shifts of {-(-num_examples // shifts):,} digits)')
    if os.path.isdir(request.data_dir) and name not in defaults:
        notes.append(f'from {name}, since there is no {defaults[0]}')
    return ' '.join(notes)


def _open(request: InputRequest, found: list[str]) -> tuple[RecordFiles, Schema]:
    """The files and what their records hold: MNIST's ten classes, or more if labels are higher."""
    files, schema = read.open_files(found, SCHEMAS[request.num_targets])
    labels = read.read_integers(files, schema, dict.fromkeys(schema.labels, 1), LABEL_SAMPLE)
    highest = max(int(column.max()) for column in labels.values())
    num_classes = min(max(MNIST_CLASSES, 1 + highest), MOST_CLASSES)
    return files, dataclasses.replace(schema, num_classes=num_classes)
