"""Reads the records that `norb_convert.py` writes: stereo pairs of toys (smallNORB)."""

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.batching import Features, Indexed, Raw
from input_data.errors import DataError
from input_data.norb import augment
from input_data.norb.raw import CATEGORIES
from input_data.records import paths, read
from input_data.records.frames import RecordFiles
from input_data.records.schema import Schema
from input_data.request import DatasetInfo, InputRequest, RawImages

EVAL_SIZE = 24_300  # smallNORB's test set
DEPTH = 2  # the left and the right image
NUM_META = 4  # instance, elevation, azimuth, lighting
NUM_CLASSES = len(CATEGORIES)

SCHEMA = Schema(
    kind='smallNORB',
    images=('image_raw',),
    depth=DEPTH,
    sides=range(2 * augment.CROP, 4097, 2),
    size=f'two channels of an even number of {2 * augment.CROP} to 4096 pixels a side',
    num_classes=NUM_CLASSES,
    others={'meta': NUM_META},
)
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
    found = find(request)
    files, schema = read.open_files(found, SCHEMA)
    is_test = request.split == 'test'
    limit = request.eval_size if is_test and not request.validate else None
    examples = read.open_examples(files, schema, _to_raw, limit)
    if request.validate:
        is_held_out = _held_out(files, schema)
        examples = examples.select(np.flatnonzero(is_held_out == is_test))
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
    read.check(*read.open_files(find(request), SCHEMA))


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
    return paths.resolve(request.data_dir, [f'{split}duo.tfrecords'])


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


def _to_raw(parsed: dict[str, tf.Tensor]) -> Raw:
    images = parsed['image_raw']  # [batch, 2, height, width]
    _, _, height, width = images.shape
    # As `augment.halve`, but cut out of reshaped bytes: a sixth of the time that strides take.
    rows = tf.reshape(images, [-1, DEPTH, height // 2, 2 * width])[..., :width]
    halved = tf.reshape(rows, [-1, DEPTH, height // 2, width // 2, 2])[..., 0]
    # Not transposed: oneDNN complains on standard error when it is to transpose bytes.
    channels = tf.unstack(halved, axis=1)
    return {
        'image': tf.stack(channels, axis=-1),  # [batch, height / 2, width / 2, 2]
        'labels': parsed['labels'],
    }


def _held_out(files: RecordFiles, schema: Schema) -> np.ndarray:
    """Whether each record shows the toy with the highest instance of its category: bool [n]."""
    integers = read.read_integers(files, schema, {'label': 1, 'meta': NUM_META})
    labels, instances = integers['label'][:, 0], integers['meta'][:, 0]
    is_held_out = np.zeros(len(labels), bool)
    for category in np.unique(labels):
        of_category = labels == category
        toys = np.unique(instances[of_category])
        if len(toys) == 1:
            raise DataError(
                f'{files.files[0].path}: --validate: found only instance {toys[0]} of category '
                f'{category}; expected two or more to hold one out'
            )
        is_held_out |= of_category & (instances == toys[-1])
    return is_held_out
