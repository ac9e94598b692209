"""Reads CIFAR-10: the binary version, or the records that `cifar10_records.py` writes.

The network sees 24x24 of the 32x32 pixels, standardised: a random crop, distorted, of training
images and the middle of test images. What is to be reconstructed is the same standardised image,
as in the release; its decoder ends in a sigmoid, which can only come near to it.
"""

import os

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.batching import Features, Indexed, Raw
from input_data.cifar10 import augment, raw
from input_data.errors import DataError
from input_data.records import paths, read
from input_data.records.schema import Schema
from input_data.request import DatasetInfo, InputRequest, RawImages

EVAL_SIZE = 10_000  # the test set, and the release's default

SCHEMA = Schema(
    kind='CIFAR-10',
    images=('image_raw',),
    depth=raw.DEPTH,
    sides=(raw.HEIGHT,),
    size=f'an image of {raw.HEIGHT}x{raw.WIDTH}x{raw.DEPTH}',
    num_classes=raw.NUM_CLASSES,
)


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of standardised 24x24x3 images; see `input_data.inputs`.

    With `request.validate`, training takes batches 1 to 4 and testing batch 5 of the training
    set.

    Raises:
      DataError: if more than one target is asked for, or files are missing, cut short, corrupt
        or of another kind.
    """
    found = find(request)
    limit = request.eval_size if request.split == 'test' else None
    if _is_binary(found):
        images, labels = raw.read_all(found)
        channel_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # [n, 32, 32, 3]
        examples = batching.hold({'image': channel_last, 'label': labels.astype(np.int64)})
    else:
        examples = read.open_examples(*read.open_files(found, SCHEMA), _to_raw, limit)
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
    found = find(request)
    if _is_binary(found):
        for path in found:
            raw.read(path)
    else:
        read.check(*read.open_files(found, SCHEMA))


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
        return paths.resolve(request.data_dir, ())
    binary = raw.find(request.data_dir, split)
    if binary:
        return binary
    wanted = (raw.FILE_NAMES[split][0], raw.record_name(split))
    return paths.resolve(request.data_dir, wanted)


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


def _is_binary(found: list[str]) -> bool:
    return all(path.endswith('.bin') for path in found)


def _to_raw(parsed: dict[str, tf.Tensor]) -> Raw:
    image = tf.transpose(parsed['image_raw'], [0, 2, 3, 1])  # [batch, 32, 32, 3]
    return {'image': image, 'label': parsed['labels'][:, 0]}
