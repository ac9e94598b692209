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
    files, schema = read.open_files(find(request), SCHEMA)
    is_test, note = request.split == 'test', ''
    limit = None if request.validate else request.limit
    examples = read.open_examples(files, schema, limit, _to_raw)
    if request.validate:
        examples = examples.select(np.flatnonzero(_held_out(files, schema) == is_test))
        if is_test:
            note = 'of the highest instance of each category, held out of training'

    def to_features(batch: Indexed) -> Features:
        images = batch.raw['image']
        if is_test:
            images = augment.centre(images)  # [batch, 32, 32, 2]
        else:
            drawn = augment.draw_distortions(batch.positions, request.batching.seed)
            images = augment.distort(images, drawn)  # [batch, 32, 32, 2]
        return batching.make_features(images, batch.raw['labels'], NUM_CLASSES)

    size = augment.CROP, augment.CROP, DEPTH
    info = DatasetInfo(*size, NUM_CLASSES, note=note, class_names=CATEGORIES)
    return batching.cut(examples, request, info, to_features)


def check(request: InputRequest) -> None:
    """Raises DataError that names the first broken example, or its file."""
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
    request.check_targets('norb')
    split = 'train' if request.validate else request.split
    return paths.resolve(request.data_dir, [f'{split}duo.tfrecords'])


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
