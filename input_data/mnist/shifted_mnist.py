"""MNIST shifted on the fly: single digits from raw files, a new shift in every epoch.

The paper trains on digits shifted by up to 2 pixels in each direction with zero padding and tests
on digits as they are (section 5). No records need to be written.
"""

import numpy as np
import tensorflow as tf

from input_data import batching, draws
from input_data.batching import Indexed
from input_data.mnist import augment, mnist_input_raw, mnist_input_record
from input_data.mnist.mnist_input_record import to_features
from input_data.mnist.tensor_shift import PaddedImages
from input_data.request import Batching, DatasetInfo, InputRequest

raw_images = mnist_input_record.raw_images
SHIFT = 2  # pixels, paper section 5
EVAL_SIZE = 10_000  # MNIST's test set


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of single digits, pixels in [0, 1]; moved when training, as they are otherwise.

    Each epoch shows every digit once. The move of an example is a function of the seed and its
    position in the line of training examples. See `input_data.inputs` for the batches.

    Raises:
      DataError: if raw files are missing or damaged, or num_targets is not 1.
    """
    mnist_input_raw.check_targets(request, 'shifted_mnist', 1)
    images, labels, num_classes = mnist_input_raw.read(request)
    height, width = images.shape[1:]
    num_examples = len(images)
    if request.split == 'test' and request.eval_size is not None:
        num_examples = min(request.eval_size, num_examples)
    info = DatasetInfo(height, width, 1, num_classes, 1, num_examples)
    if request.split == 'train':
        shift = SHIFT if request.shift is None else request.shift
        augment.check_shift(shift, height, width)
        indexed = _training(images, labels, shift, request.batching)
    else:
        examples = batching.hold({'image': images[..., None], 'labels': _column(labels)})
        indexed = examples.in_order(request.eval_batch_size, num_examples)
    return batching.finish(indexed, lambda batch: to_features(batch, num_classes)), info


def check(request: InputRequest) -> None:
    """Raises DataError if raw files are missing or damaged; reading looks at every byte."""
    mnist_input_raw.read(request)


def _training(images: np.ndarray, labels: np.ndarray, shift: int, cut: Batching) -> tf.data.Dataset:
    padded = PaddedImages(images, 0, shift)

    def load(batch: Indexed) -> Indexed:
        words = draws.tensor_words(cut.seed, 'shifted_mnist', batch.positions, 2)
        moves = draws.scale(words, 2 * shift + 1) - shift  # [batch, 2], rows and columns
        image = padded.take(batch.raw['digit'], moves)[..., None]  # [batch, height, width, 1]
        return Indexed(batch.positions, {'image': image, 'labels': batch.raw['labels']})

    digits = batching.hold({'digit': np.arange(len(images)), 'labels': _column(labels)})
    return digits.training(cut).map(load, num_parallel_calls=tf.data.AUTOTUNE)


def _column(labels: np.ndarray) -> np.ndarray:
    return labels[:, None].astype(np.int64)  # [n, 1]
