"""Reads CIFAR-10: the binary version, or the records that `cifar10_records.py` writes.

The network sees 24x24 of the 32x32 pixels, standardised: a random crop, distorted, of training
images and the middle of test images. What is to be reconstructed is the same standardised image,
as in the release; its decoder ends in a sigmoid, which can only come near to it.
"""

import os

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.batching import Examples, Features, Indexed, Raw
from input_data.cifar10 import augment, raw
from input_data.errors import DataError
from input_data.records import paths as record_paths
from input_data.records import read as records
from input_data.request import DatasetInfo, InputRequest, RawImages

EVAL_SIZE = 10_000  # the test set, and the release's default

_SIZES = {'height': raw.HEIGHT, 'width': raw.WIDTH, 'depth': raw.DEPTH}
_FEATURES = (*_SIZES, 'label', 'image_raw')
_IMAGE_BYTES = raw.HEIGHT * raw.WIDTH * raw.DEPTH


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of standardised 24x24x3 images; see `input_data.inputs`.

    With `request.validate`, training takes batches 1 to 4 and testing batch 5 of the training
    set.

    Raises:
      DataError: if more than one target is asked for, or files are missing, cut short, corrupt
        or of another kind.
    """
    paths = find(request)
    limit = request.eval_size if request.split == 'test' else None
    if _is_binary(paths):
        images, labels = raw.read_all(paths)
        channel_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # [n, 32, 32, 3]
        examples = Examples({'image': channel_last, 'label': labels.astype(np.int64)})
    else:
        examples = _open_records(request, paths, limit)
    num_examples = examples.num_examples if limit is None else min(limit, examples.num_examples)
    info = DatasetInfo(
        augment.CROP,
        augment.CROP,
        raw.DEPTH,
        raw.NUM_CLASSES,
        num_examples=num_examples,
    )
    if request.split == 'train':
        indexed = examples.training(request.batching)
        seed = request.batching.seed
        return batching.finish(indexed, lambda batch: training_features(batch, seed)), info
    indexed = examples.in_order(request.eval_batch_size, num_examples)
    return batching.finish(indexed, test_features), info


def check(request: InputRequest) -> None:
    """Looks at every record of the request's files.

    Raises:
      DataError: naming the file and the first record that is broken.
    """
    paths = find(request)
    if _is_binary(paths):
        for path in paths:
            raw.read(path)
    else:
        records.check(paths, _fault)


def raw_images(info: DatasetInfo) -> RawImages:
    """Photographs of 32x32 pixels, of which the network sees the middle."""
    del info
    return RawImages((raw.HEIGHT, raw.WIDTH, raw.DEPTH), augment.centre)


def find(request: InputRequest) -> list[str]:
    """The files of a request: .bin files of the binary version, or record files.

    In a directory the binary version is looked for first.

    Raises:
      DataError: if there are none, some are missing, or more than one target is asked for.
    """
    if request.num_targets != 1:
        raise DataError(
            f'--num_targets={request.num_targets}: CIFAR-10 has one object in an image; expected 1'
        )
    split = f'valid_{request.split}' if request.validate else request.split
    if not os.path.isdir(request.data_dir):
        return record_paths.resolve(request.data_dir, ())
    paths = raw.find(request.data_dir, split)
    if paths:
        return paths
    wanted = (raw.FILE_NAMES[split][0], raw.record_name(split))
    return record_paths.resolve(request.data_dir, wanted)


def training_features(indexed: Indexed, seed: int) -> Features:
    """Raw images at neighbouring positions -> distorted features; see `augment.distort`."""
    drawn = augment.draw_distortions(indexed.positions, seed)
    return _features(augment.distort(indexed.raw['image'], drawn), indexed.raw['label'])


def test_features(indexed: Indexed) -> Features:
    """Raw images -> features of their middle; see `augment.centre`."""
    return _features(augment.centre(indexed.raw['image']), indexed.raw['label'])


def _features(images: tf.Tensor, labels: tf.Tensor) -> Features:
    target_labels = tf.cast(labels, tf.int32)[:, None]  # [batch, 1]
    return {
        'images': images,
        'labels': batching.one_hot_labels(target_labels, raw.NUM_CLASSES),
        'target_labels': target_labels,
        'target_images': images[:, None],  # [batch, 1, 24, 24, 3]
    }


def _is_binary(paths: list[str]) -> bool:
    return all(path.endswith('.bin') for path in paths)


def _open_records(request: InputRequest, paths: list[str], limit: int | None):
    fault = _fault(records.first_record(paths[0]))
    if fault:
        raise DataError(f'{paths[0]}: record 0: {fault} (another --dataset?)')
    try:
        return records.open_set(paths, _parse, limit)
    except records.READ_ERRORS as error:
        check(request)
        raise records.unexplained(paths[0], error) from error


def _parse(serialized: tf.Tensor) -> Raw:
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in (*_SIZES, 'label')}
    spec['image_raw'] = tf.io.FixedLenFeature([], tf.string)
    parsed = tf.io.parse_example(serialized, spec)
    as_expected = [
        tf.debugging.assert_equal(parsed[name], np.int64(size)) for name, size in _SIZES.items()
    ]
    as_expected.append(tf.debugging.assert_non_negative(parsed['label']))
    as_expected.append(tf.debugging.assert_less(parsed['label'], np.int64(raw.NUM_CLASSES)))
    with tf.control_dependencies(as_expected):
        pixels = tf.io.decode_raw(parsed['image_raw'], tf.uint8)
        pixels = tf.ensure_shape(pixels, [None, _IMAGE_BYTES])
        channel_first = tf.reshape(pixels, [-1, raw.DEPTH, raw.HEIGHT, raw.WIDTH])
        return {
            'image': tf.transpose(channel_first, [0, 2, 3, 1]),  # [batch, 32, 32, 3]
            'label': tf.identity(parsed['label']),
        }


def _fault(example: tf.train.Example) -> str | None:
    features = example.features.feature
    missing = [name for name in _FEATURES if name not in features]
    if missing:
        return f'found {", ".join(sorted(features))}; expected {", ".join(_FEATURES)}'
    sizes = [tuple(features[name].int64_list.value) for name in _SIZES]
    if sizes != [(size,) for size in _SIZES.values()]:
        found = 'x'.join(str(size[0]) if len(size) == 1 else '?' for size in sizes)
        return f'found an image of {found}; expected {"x".join(map(str, _SIZES.values()))}'
    label = list(features['label'].int64_list.value)
    if len(label) != 1 or not 0 <= label[0] < raw.NUM_CLASSES:
        return f'found label {label}; expected one from 0 to {raw.NUM_CLASSES - 1}'
    size = sum(map(len, features['image_raw'].bytes_list.value))
    if size != _IMAGE_BYTES:
        return f'found image_raw of {size} bytes; expected {_IMAGE_BYTES}'
    return None
