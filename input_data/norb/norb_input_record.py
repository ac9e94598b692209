"""Reads the records that `norb_convert.py` writes: stereo pairs of toys (smallNORB)."""

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.batching import Features, Indexed, Raw
from input_data.errors import DataError
from input_data.norb import augment, norb_store
from input_data.norb.raw import CATEGORIES
from input_data.records import paths as record_paths
from input_data.records import read as records
from input_data.request import DatasetInfo, InputRequest, RawImages

EVAL_SIZE = 24_300  # smallNORB's test set
DEPTH = 2  # the left and the right image
NUM_META = 4  # instance, elevation, azimuth, lighting
NUM_CLASSES = len(CATEGORIES)

SIZES = ('height', 'width', 'depth')
FEATURE_NAMES = (*SIZES, 'label', 'meta', 'image_raw')
HELD_OUT_NOTE = 'of the highest instance of each category, held out of training'


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of 32x32 crops of stereo pairs, the two images as channels.

    They are treated as `augment` says. What is to be reconstructed is the same standardised image,
    as in the release; its decoder ends in a sigmoid, which can only come near to it. With
    `request.validate` both splits are read from the training records: 'test' is the
    toy with the highest instance number of each category (9 in smallNORB) and 'train' the other
    toys, so that none is in both. See `input_data.inputs` for the batches.

    Raises:
      DataError: if files are missing, corrupt, or hold records of another kind or size.
    """
    paths = find(request)
    height, width = _image_size(paths)
    is_test = request.split == 'test'
    limit = request.eval_size if is_test and not request.validate else None
    try:
        held_out = _held_out_instances(paths) if request.validate else None

        def parse(serialized: tf.Tensor) -> Raw:
            return _parse(serialized, height, width, held_out, is_test)

        examples = norb_store.open_set(paths, parse, limit)
    except records.READ_ERRORS as error:
        check(request)
        raise records.unexplained(paths[0], error) from error
    if request.validate and isinstance(examples, records.StreamedExamples):
        raise DataError(
            f'{paths[0]}: --validate: found more than {norb_store.MEMORY_LIMIT_BYTES} bytes of '
            'records; expected no more to choose from'
        )
    num_examples = examples.num_examples
    if not is_test:
        indexed = examples.training(request.batching)
    else:
        num_examples = min(num_examples, request.eval_size or num_examples)
        indexed = examples.in_order(request.eval_batch_size, num_examples)
    note = HELD_OUT_NOTE if is_test and request.validate else ''
    side = augment.CROP
    info = DatasetInfo(side, side, DEPTH, NUM_CLASSES, num_examples=num_examples, note=note)
    seed = None if is_test else request.batching.seed
    return batching.finish(indexed, lambda batch: to_features(batch, seed)), info


def check(request: InputRequest) -> None:
    """Looks at every record of the request's files.

    Raises:
      DataError: naming the file and the first record that is broken.
    """
    paths = find(request)
    height, width = _image_size(paths)
    records.check(paths, lambda example: _fault(example, height, width))


def raw_images(info: DatasetInfo) -> RawImages:
    """Stereo pairs of 96x96 pixels (paper Section 7), of which the network sees the middle."""
    del info
    return RawImages((96, 96, DEPTH), lambda images: augment.centre(augment.halve(images)))


def find(request: InputRequest) -> list[str]:
    """The record files of a request; with `validate` those of training for both splits.

    Raises:
      DataError: if there are none, or more than one target is asked for.
    """
    if request.num_targets != 1:
        raise DataError(
            f'--num_targets={request.num_targets}: found smallNORB, which shows one object in '
            'an image; expected 1'
        )
    split = 'train' if request.validate else request.split
    return record_paths.resolve(request.data_dir, [f'{split}duo.tfrecords'])


def to_features(indexed: Indexed, seed: int | None) -> Features:
    """Halved stereo pairs -> features; see `inputs`.

    Args:
      indexed: images uint8 [batch, height, width, 2] and labels [batch, 1].
      seed: of the distortions of training; None for the central crop as it is.
    """
    images = indexed.raw['image']
    if seed is None:
        images = augment.centre(images)  # [batch, 32, 32, 2]
    else:
        images = augment.distort(images, augment.draw_distortions(indexed.positions, seed))
    return {
        'images': images,
        'labels': batching.one_hot_labels(indexed.raw['labels'], NUM_CLASSES),
        'target_labels': tf.cast(indexed.raw['labels'], tf.int32),
        'target_images': images[:, None],  # [batch, 1, 32, 32, 2]
    }


def _parse(
    serialized: tf.Tensor, height: int, width: int, held_out: np.ndarray | None, is_test: bool
) -> Raw:
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in (*SIZES, 'label')}
    spec['meta'] = tf.io.FixedLenFeature([NUM_META], tf.int64)
    spec['image_raw'] = tf.io.FixedLenFeature([], tf.string)
    parsed = tf.io.parse_example(serialized, spec)
    sizes = tf.stack([parsed[name] for name in SIZES], axis=1)  # [batch, 3]
    labels = parsed['label']
    as_expected = [
        tf.debugging.assert_equal(sizes, tf.constant([[height, width, DEPTH]], tf.int64)),
        tf.debugging.assert_non_negative(labels),
        tf.debugging.assert_less(labels, tf.constant(NUM_CLASSES, tf.int64)),
    ]
    with tf.control_dependencies(as_expected):
        pixels = tf.io.decode_raw(parsed['image_raw'], tf.uint8)
    pixels = tf.ensure_shape(pixels, [None, DEPTH * height * width])
    channels = tf.unstack(tf.reshape(pixels, [-1, DEPTH, height, width]), axis=1)
    raw = {
        # Not transposed: oneDNN complains on standard error when it is to transpose bytes.
        'image': augment.halve(tf.stack(channels, axis=-1)),  # [batch, height / 2, width / 2, 2]
        'labels': labels[:, None],
    }
    if held_out is None:
        return raw
    wanted = (parsed['meta'][:, 0] == tf.gather(held_out, labels)) == is_test
    return {name: tf.boolean_mask(values, wanted) for name, values in raw.items()}


def _held_out_instances(paths: list[str]) -> np.ndarray:
    """[classes] highest instance number of each category, -1 for a category without any."""
    spec = {
        'label': tf.io.FixedLenFeature([], tf.int64),
        'meta': tf.io.FixedLenFeature([NUM_META], tf.int64),
    }
    serialized = records.serialized_examples(paths).batch(records.PARSE_BATCH)
    toys: set[tuple[int, int]] = set()
    for batch in serialized.map(lambda batch: tf.io.parse_example(batch, spec)):
        toys.update(zip(batch['label'].numpy(), batch['meta'][:, 0].numpy(), strict=True))
    held_out = np.full(NUM_CLASSES, -1, np.int64)
    for category in range(NUM_CLASSES):
        instances = [instance for label, instance in toys if label == category]
        if len(instances) == 1:
            raise DataError(
                f'{paths[0]}: --validate: found only instance {instances[0]} of category '
                f'{category}; expected two or more to hold one out'
            )
        held_out[category] = max(instances, default=-1)
    return held_out


def _image_size(paths: list[str]) -> tuple[int, int]:
    """Height and width from the first record, whose kind is checked."""
    example = records.first_record(paths[0])
    features = example.features.feature
    if any(name not in features for name in FEATURE_NAMES):
        raise DataError(
            f'{paths[0]}: these are not records of smallNORB: expected '
            f'{", ".join(FEATURE_NAMES)}; found {", ".join(sorted(features))} (another --dataset?)'
        )
    height, width, depth = (_integer(example, name) for name in SIZES)
    sides = (height, width)
    if depth != DEPTH or any(side % 2 or not 2 * augment.CROP <= side <= 4096 for side in sides):
        raise DataError(
            f'{paths[0]}: record 0: expected two channels of an even number of '
            f'{2 * augment.CROP} to 4096 pixels a side, found {height}x{width}x{depth}'
        )
    return height, width


def _fault(example: tf.train.Example, height: int, width: int) -> str | None:
    features = example.features.feature
    missing = [name for name in FEATURE_NAMES if name not in features]
    if missing:
        return f'has no feature {missing[0]}; it has {", ".join(sorted(features))}'
    sizes = [_integer(example, name) for name in SIZES]
    if sizes != [height, width, DEPTH]:
        found = 'x'.join(map(str, sizes))
        return f'is {found}, but the first record is {height}x{width}x{DEPTH}'
    num_bytes = sum(map(len, features['image_raw'].bytes_list.value))
    if num_bytes != DEPTH * height * width:
        return f'image_raw has {num_bytes} bytes, expected {DEPTH * height * width}'
    label = _integer(example, 'label')
    if not 0 <= label < NUM_CLASSES:
        return f'label is {label}, expected a class from 0 to {NUM_CLASSES - 1}'
    num_meta = len(features['meta'].int64_list.value)
    if num_meta != NUM_META:
        return f'meta has {num_meta} numbers, expected {NUM_META}'
    return None


def _integer(example: tf.train.Example, name: str) -> int:
    """A feature's one integer; -1 where it has none."""
    return next(iter(example.features.feature[name].int64_list.value), -1)
