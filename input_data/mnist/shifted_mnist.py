"""MNIST shifted on the fly: single digits from raw files, a new shift in every epoch.

The paper trains on digits shifted by up to 2 pixels in each direction with zero padding and tests
on digits as they are (section 5). No records need to be written.
"""

import numpy as np
import tensorflow as tf

from input_data import batching, draws
from input_data.batching import Features, Indexed
from input_data.mnist import augment, mnist_input_raw, mnist_input_record
from input_data.mnist.tensor_shift import PaddedImages
from input_data.request import DatasetInfo, InputRequest

check = mnist_input_raw.read  # looks at every byte
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
    request.check_targets('shifted_mnist')
    images, labels, num_classes = mnist_input_raw.read(request)
    height, width = images.shape[1:]
    stored = {'labels': labels[:, None]}  # [n, 1]
    if request.split == 'test':
        stored['image_raw'] = images
    else:
        stored['digit'] = np.arange(len(images))
        shift = SHIFT if request.shift is None else request.shift
        augment.check_shift(shift, height, width)
        padded = PaddedImages(images, 0, shift)

    def to_features(batch: Indexed) -> Features:
        raw = batch.raw
        if request.split == 'train':
            words = draws.tensor_words(request.batching.seed, 'shifted_mnist', batch.positions, 2)
            moves = draws.scale(words, 2 * shift + 1) - shift  # [batch, 2], rows and columns
            raw = {**raw, 'image_raw': padded.take(raw['digit'], moves)}  # [batch, height, width]
        return mnist_input_record.to_features(raw, info)

    info = DatasetInfo(height, width, 1, num_classes)
    return batching.cut(batching.hold(stored), request, info, to_features)
