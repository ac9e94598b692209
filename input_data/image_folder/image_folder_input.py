"""Reads anybody's pictures from class folders: grey or in colour, of any format, size and mode.

Every picture is read once, when a job starts: its middle, at image_size x image_size pixels. Grey
ones are moved a little in training, as MNIST's digits are. Of colour ones the network sees three
quarters of the side, as of CIFAR-10: a random crop, distorted, of training pictures and the middle
of test pictures, standardised; what is to be reconstructed is that crop with the light of the
file, in [0, 1].
"""

import dataclasses

import numpy as np
import tensorflow as tf

from input_data import batching, draws, image_files, photographs
from input_data.batching import Examples, Features, Indexed
from input_data.cifar10 import augment
from input_data.errors import DataError
from input_data.image_folder import folders, pictures
from input_data.mnist.augment import check_shift
from input_data.mnist.mnist_input_record import to_input
from input_data.request import DatasetInfo, InputRequest, RawImages

EVAL_SIZE = None  # all
SHIFT = 2  # pixels, of grey pictures; MNIST's (paper section 5)
IMAGE_SIZE = 32  # CIFAR-10's


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of pictures; see `input_data.inputs`.

    Raises:
      DataError: if there are no class folders, no pictures in one, or flags do not fit them.
    """
    request.check_targets('image_folder')
    listing = folders.list_files(request)
    depth = 1 if image_files.are_grey(listing.all_paths) else 3
    size = request.image_size or IMAGE_SIZE
    side = size if depth == 1 else size * 3 // 4
    shift = _choose_shift(request, size, depth)
    info = DatasetInfo(
        side, side, depth, len(listing.class_names), 1, 0, listing.note, listing.class_names
    )
    examples = _open_examples(*pictures.read(listing, request, (size, size, depth)))

    def to_features(batch: Indexed) -> Features:
        images, is_train = batch.raw['image'], request.split == 'train'
        seed = request.batching.seed
        if depth == 1:
            if is_train:
                words = draws.tensor_words(seed, 'image_folder', batch.positions, 2)
                images = _move(images, draws.scale(words, 2 * shift + 1) - shift)
            seen = shown = to_input(images)
        elif is_train:
            drawn = augment.draw_distortions(batch.positions, seed)
            cropped = augment.crop(images, drawn, side)
            seen, shown = augment.change_light(cropped, drawn), to_input(cropped)
        else:
            cropped = photographs.crop_centre(images, side)
            seen, shown = photographs.standardize(cropped), to_input(cropped)
        return batching.make_features(seen, batch.raw['labels'], info.num_classes, [shown])

    return batching.cut(examples, request, info, to_features)


def check(request: InputRequest) -> None:
    """Raises DataError that names the first file that is no picture."""
    pictures.read(folders.list_files(request), dataclasses.replace(request, strict=True), (1, 1, 1))


def raw_images(info: DatasetInfo) -> RawImages:
    """Pictures of any size, treated as those of the folder."""
    side = info.height
    height, width = (info.height, info.width) if info.depth == 1 else (side * 4 // 3, side * 4 // 3)

    def see_middle(pixels: tf.Tensor) -> tf.Tensor:
        return photographs.standardize(photographs.crop_centre(pixels, side))

    return RawImages(
        (height, width, info.depth),
        to_input if info.depth == 1 else see_middle,
        lambda image: image_files.to_picture(image, height, width, info.depth),
    )


def _choose_shift(request: InputRequest, size: int, depth: int) -> int:
    """Of grey pictures; raises DataError if flags do not fit the pictures."""
    if depth == 1:
        shift = SHIFT if request.shift is None else request.shift
        check_shift(shift, size, size)
        return shift
    if request.shift is not None:
        raise DataError(
            f'--shift={request.shift}: found pictures in colour, which are cropped at random; '
            'expected no --shift'
        )
    if size % 4:
        raise DataError(
            f'--image_size={size}: found pictures in colour, of which the network sees three '
            'quarters of the side; expected a multiple of 4'
        )
    return 0


def _move(images: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
    """Moves images [batch, side, side, 1] by int64 [batch, 2]; what enters is as the edge was."""
    side = images.shape[1]
    places = tf.range(side, dtype=tf.int64)
    rows, columns = (
        tf.clip_by_value(places - moves[:, axis, None], 0, side - 1) for axis in (0, 1)
    )  # [batch, side]
    return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def _open_examples(pixels: np.ndarray, labels: np.ndarray) -> Examples:
    """Pictures [n, size, size, depth] that lie in memory or in a file, and labels [n, 1]."""
    if not isinstance(pixels, np.memmap):
        return batching.hold({'image': pixels, 'labels': labels})

    def take(numbers: tf.Tensor) -> batching.Raw:
        taken = tf.numpy_function(pixels.__getitem__, [numbers], tf.uint8, stateful=False)
        taken = tf.ensure_shape(taken, [*numbers.shape, *pixels.shape[1:]])
        return {'image': taken, 'labels': tf.gather(labels, numbers)}

    return Examples(len(labels), take)
