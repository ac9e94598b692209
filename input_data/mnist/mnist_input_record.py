"""Reads the records that `mnist_shift.py` writes: single digits and MultiMNIST pairs."""

import dataclasses
import glob
import os
import re

import tensorflow as tf

from input_data import batching
from input_data.batching import Features, Indexed, Raw
from input_data.errors import DataError
from input_data.records import paths as record_paths
from input_data.records import read as records
from input_data.request import DatasetInfo, InputRequest, RawImages

TRAIN_SHIFT, TEST_SHIFT = 2, 0  # the files of a directory that the release reads
MNIST_CLASSES = 10
EVAL_SIZE = 10_000  # MNIST's test set, and the release's default for any
LABEL_SAMPLE = 10_000  # records that are searched for classes beyond MNIST's ten
MOST_CLASSES = 256  # labels of raw files are bytes

# The names of a record's features, by number of targets.
LABELS = {1: ('label',), 2: ('label_1', 'label_2')}
TARGET_IMAGES = {1: (), 2: ('image_raw_1', 'image_raw_2')}
INPUT_IMAGE = {1: 'image_raw', 2: 'merged_raw'}
SIZES = ('height', 'width', 'depth')


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of digits from record files, pixels in [0, 1].

    Image sizes are those of the first record. There are ten classes, or more if labels are
    higher than 9 (EMNIST). See `input_data.inputs` for the batches.

    Raises:
      DataError: if files are missing, corrupt, or hold records of another kind or size.
    """
    paths = find(request)
    height, width = _image_size(paths, request.num_targets)
    limit = request.eval_size if request.split == 'test' else None
    try:
        num_classes = _num_classes(paths, request.num_targets)
        info = DatasetInfo(height, width, 1, num_classes, request.num_targets)
        examples = records.open_set(paths, lambda batch: _parse(batch, info), limit)
    except records.READ_ERRORS as error:
        check(request)
        raise records.unexplained(paths[0], error) from error
    num_examples = examples.num_examples
    if limit is not None:
        num_examples = min(limit, num_examples)
    note = _note(paths[0], num_examples, request.num_targets)
    info = dataclasses.replace(info, num_examples=num_examples, note=note)
    if request.split == 'train':
        indexed = examples.training(request.batching)
    else:
        indexed = examples.in_order(request.eval_batch_size, num_examples)
    return batching.finish(indexed, lambda batch: to_features(batch, num_classes)), info


def check(request: InputRequest) -> None:
    """Looks at every record of the request's files.

    Raises:
      DataError: naming the file and the first record that is broken.
    """
    paths = find(request)
    height, width = _image_size(paths, request.num_targets)
    records.check(paths, lambda example: None)
    try:
        num_classes = _num_classes(paths, request.num_targets)
    except records.READ_ERRORS:  # some record has no label, which is found below
        num_classes = MNIST_CLASSES
    info = DatasetInfo(height, width, 1, num_classes, request.num_targets)
    records.check(paths, lambda example: _fault(example, info))


def raw_images(info: DatasetInfo) -> RawImages:
    """Digits of the network's size; see `input_data.raw_images`."""
    return RawImages((info.height, info.width, info.depth), to_input)


def to_input(pixels: tf.Tensor) -> tf.Tensor:
    """uint8 pixels -> float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) / 255


def find(request: InputRequest) -> list[str]:
    """The record files of a request.

    In a directory: the release's file names (shift 2 for training, 0 for testing); where there
    are none, the files of whatever one shift is there.

    Raises:
      DataError: if there are none, or files of several shifts to choose from.
    """
    prefix = 'multi' if request.num_targets == 2 else ''
    shift = TRAIN_SHIFT if request.split == 'train' else TEST_SHIFT
    stems = [f'{prefix}valid_{request.split}'] if request.validate else [prefix + request.split]
    names = [f'{stem}_{shift}shifted_mnist.tfrecords' for stem in stems]
    if request.validate:  # the name that the release's reader asked for
        names.append(f'{prefix}{request.split}_{shift}shifted_mnist_valid.tfrecords')
    if not os.path.isdir(request.data_dir):
        return record_paths.resolve(request.data_dir, names)
    present = [f for f in names if glob.glob(os.path.join(request.data_dir, f'{f}*'))]
    if not present:
        pattern = f'{stems[0]}_*shifted_mnist.tfrecords*'
        shifts = {
            re.sub(r'-\d{5}-of-\d{5}$', '', os.path.basename(path))
            for path in glob.glob(os.path.join(request.data_dir, pattern))
        }
        if len(shifts) > 1:
            raise DataError(
                f'--data_dir={request.data_dir}: found {", ".join(sorted(shifts))}; '
                'name the one to read'
            )
        names = [*shifts] or names
    return record_paths.resolve(request.data_dir, names)


def to_features(indexed: Indexed, num_classes: int) -> Features:
    """Raw digits -> features; see `input_data.inputs`."""
    raw = indexed.raw
    images = to_input(raw['image'])  # [batch, height, width, 1]
    target_images = images[:, None]
    if 'target_images' in raw:
        target_images = to_input(raw['target_images'])
    return {
        'images': images,
        'labels': batching.one_hot_labels(raw['labels'], num_classes),
        'target_labels': tf.cast(raw['labels'], tf.int32),
        'target_images': target_images,  # [batch, num_targets, height, width, 1]
    }


def _note(path: str, num_examples: int, num_targets: int) -> str:
    """Of how many digits the examples are shifts, where the name of their file tells.

    `mnist_shift.py` writes all shifts of a digit, one after the other (release).
    """
    shift = re.search(r'_(\d+)shifted_mnist', os.path.basename(path))
    if num_targets > 1 or not shift or int(shift[1]) == 0:
        return ''
    shifts = (2 * int(shift[1]) + 1) ** 2
    return f'(shifts of {-(-num_examples // shifts):,} digits)'


def _parse(serialized: tf.Tensor, info: DatasetInfo) -> Raw:
    height, width = info.height, info.width
    labels, targets = LABELS[info.num_targets], TARGET_IMAGES[info.num_targets]
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in (*SIZES, *labels)}
    for name in (INPUT_IMAGE[info.num_targets], *targets):
        spec[name] = tf.io.FixedLenFeature([], tf.string)
    parsed = tf.io.parse_example(serialized, spec)
    sizes = tf.stack([parsed[name] for name in SIZES], axis=1)  # [batch, 3]
    classes = tf.stack([parsed[name] for name in labels], axis=1)  # [batch, num_targets]
    as_expected = [
        tf.debugging.assert_equal(sizes, tf.constant([[height, width, 1]], tf.int64)),
        tf.debugging.assert_non_negative(classes),
        tf.debugging.assert_less(classes, tf.constant(info.num_classes, tf.int64)),
    ]
    with tf.control_dependencies(as_expected):

        def decode(name: str) -> tf.Tensor:
            pixels = tf.ensure_shape(
                tf.io.decode_raw(parsed[name], tf.uint8), [None, height * width]
            )
            return tf.reshape(pixels, [-1, height, width, 1])

        raw = {
            'image': decode(INPUT_IMAGE[info.num_targets]),
            'labels': classes,
        }
        if targets:
            raw['target_images'] = tf.stack([decode(name) for name in targets], axis=1)
    return raw


def _image_size(paths: list[str], num_targets: int) -> tuple[int, int]:
    """Height and width from the first record, whose kind is checked."""
    example = records.first_record(paths[0])
    features = example.features.feature
    missing = [name for name in _feature_names(num_targets) if name not in features]
    if missing:
        raise DataError(
            f'{paths[0]}: these are not records of {num_targets} target(s): expected '
            f'{", ".join(_feature_names(num_targets))}; found {", ".join(sorted(features))} '
            '(another --num_targets or --dataset?)'
        )
    height, width, depth = (_integer(example, name) for name in SIZES)
    if depth != 1 or not (1 <= height <= 4096 and 1 <= width <= 4096):
        raise DataError(
            f'{paths[0]}: record 0: expected a one-channel image of 1 to 4096 pixels a side, '
            f'found {height}x{width}x{depth}'
        )
    return height, width


def _fault(example: tf.train.Example, info: DatasetInfo) -> str | None:
    features = example.features.feature
    height, width, num_targets = info.height, info.width, info.num_targets
    missing = [name for name in _feature_names(num_targets) if name not in features]
    if missing:
        return f'has no feature {missing[0]}; it has {", ".join(sorted(features))}'
    sizes = [_integer(example, name) for name in SIZES]
    if sizes != [height, width, 1]:
        size = 'x'.join(map(str, sizes))
        return f'is {size}, but the first record is {height}x{width}x1'
    for name in (INPUT_IMAGE[num_targets], *TARGET_IMAGES[num_targets]):
        found = sum(map(len, features[name].bytes_list.value))
        if found != height * width:
            return f'{name} has {found} bytes, expected {height * width}'
    for name in LABELS[num_targets]:
        label = next(iter(features[name].int64_list.value), None)
        if label is None or not 0 <= label < info.num_classes:
            return f'{name} is {label}, expected a class from 0 to {info.num_classes - 1}'
    return None


def _feature_names(num_targets: int) -> tuple[str, ...]:
    targets = TARGET_IMAGES[num_targets]
    return (*SIZES, *LABELS[num_targets], INPUT_IMAGE[num_targets], *targets)


def _integer(example: tf.train.Example, name: str) -> int:
    """A feature's one integer; -1 where it has none."""
    return next(iter(example.features.feature[name].int64_list.value), -1)


def _num_classes(paths: list[str], num_targets: int) -> int:
    """MNIST's ten, or more if a label of the first records is higher."""
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in LABELS[num_targets]}
    sample = records.serialized_examples(paths, LABEL_SAMPLE).batch(1000)
    labels = sample.map(lambda batch: tf.io.parse_example(batch, spec))
    highest = max(
        int(max(column.max() for column in row.values())) for row in labels.as_numpy_iterator()
    )
    return min(max(MNIST_CLASSES, 1 + highest), MOST_CLASSES)
