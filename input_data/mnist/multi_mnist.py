"""MultiMNIST on the fly: overlapping digits of two classes from raw files, new in every epoch.

The paper's training set has 60 million pairs (section 6.1); here there is no end to them and no
file to write. The test pairs are fixed: those that mnist_shift.py writes.
"""

import numpy as np
import tensorflow as tf

from input_data import batching, draws
from input_data.batching import Examples, Features, Indexed, Raw
from input_data.mnist import augment, mnist_input_raw, mnist_input_record
from input_data.mnist.mnist_input_raw import RawDigits
from input_data.mnist.mnist_input_record import PAIRS
from input_data.mnist.tensor_shift import PaddedImages
from input_data.request import DatasetInfo, InputRequest

check = mnist_input_raw.read  # looks at every byte
raw_images = mnist_input_record.raw_images
# Paper section 6.1: each digit is shifted up to 4 pixels in each direction, in a 36x36 image.
SHIFT, PAD = 4, 4
TEST_PAIRS = 1000  # of each digit, paper section 6.1
TEST_SEED = 0  # the default of mnist_shift.py
EVAL_SIZE = 10_000  # the release's default, of 10 million


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of pairs, pixels in [0, 1]; the image is the sum of both digits, clipped at 1.

    Training: each epoch shows every digit once, as the base of its next pair; pairs are
    distributed as those that mnist_shift.py writes (`augment.Pairs`). A pair is a function of the
    seed and its position in the line of training examples. `DatasetInfo.num_examples` is one epoch.

    Test: exactly the records, in their order, of mnist_shift.py with --multi_targets, --pad=4,
    --num_pairs=1000 and the same shift and split. See `input_data.inputs` for the batches.

    Raises:
      DataError: if raw files are missing or damaged, hold a single class, or num_targets is not 2.
    """
    request.check_targets('multi_mnist', 2)
    digits = mnist_input_raw.read(request)
    seed = request.batching.seed if request.split == 'train' else TEST_SEED
    pairs = augment.Pairs(
        digits.images,
        digits.labels,
        num_pairs=TEST_PAIRS,
        shift=SHIFT if request.shift is None else request.shift,
        pad=PAD,
        seed=seed,
        split=request.part,
    )
    if request.split == 'train':
        maker = PairMaker(digits, pairs, seed)
        examples = batching.hold({'digit': np.arange(len(digits.images))})
    else:
        examples = Examples(pairs.count, lambda positions: _make_records(pairs, positions))

    def to_features(batch: Indexed) -> Features:
        raw = batch.raw
        if request.split == 'train':
            raw = maker.make_pairs(batch.positions, raw['digit'])
        return mnist_input_record.to_features(raw, info)

    info = DatasetInfo(pairs.height, pairs.width, 1, digits.num_classes, 2)
    return batching.cut(examples, request, info, to_features)


class PairMaker:
    """Makes training pairs inside a pipeline."""

    def __init__(self, digits: RawDigits, pairs: augment.Pairs, seed: int):
        """Takes digits and how they are paired."""
        self._seed, self._shift = seed, pairs.shift
        self._images = PaddedImages(digits.images, PAD, pairs.shift)
        with tf.device('CPU'):
            self._labels = tf.constant(digits.labels, tf.int64)
            self._by_label = tf.constant(pairs.by_label)
            self._base_moves = tf.constant(pairs.base_moves)
            self._partner_keys = tf.constant(pairs.partner_keys)
            self._candidates = tf.constant(pairs.candidates)
            self._own_starts = tf.constant(pairs.own_starts)

    def draw_pairs(self, positions: tf.Tensor, base: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Partners and moves for base digits, as `augment.Pairs.draw_pairs`.

        A digit's pair in epoch k is its pair k. `positions` in the line of training examples and
        `base`, the digits, are int64 [batch]; positions follow each other.
        """
        num_digits = tf.size(self._labels, tf.int64)
        candidates = tf.gather(self._candidates, base)
        number = positions // num_digits % candidates
        rank = draws.tensor_permute(number, candidates, tf.gather(self._partner_keys, base))
        # In the order sorted by label the digits of one's own label are one run, to step over.
        before = rank < tf.gather(self._own_starts, base)
        rank += tf.where(before, tf.zeros_like(rank), num_digits - candidates)
        words = draws.tensor_words(self._seed, 'multi_mnist', positions, 2)
        partner_moves = draws.scale(words, 2 * self._shift + 1) - self._shift  # [batch, 2]
        moves = tf.stack([tf.gather(self._base_moves, base), partner_moves], axis=1)
        return tf.gather(self._by_label, rank), moves  # moves [batch, 2, 2]

    def make_pairs(self, positions: tf.Tensor, base: tf.Tensor) -> Raw:
        """The pairs that `draw_pairs` gives: labels [batch, 2], images as in records."""
        partner, moves = self.draw_pairs(positions, base)
        chosen = tf.stack([base, partner], axis=1)  # [batch, 2]
        first, second = (self._images.take(chosen[:, i], moves[:, i]) for i in range(2))
        merged = first + tf.minimum(second, 255 - first)  # clipped at 255
        images = (merged, first, second)
        return {
            'labels': tf.gather(self._labels, chosen),
            **dict(zip(PAIRS.images, images, strict=True)),
        }


def _make_records(pairs: augment.Pairs, positions: tf.Tensor) -> Raw:
    """What the records of pairs at int64 [batch] hold."""

    def features(positions: np.ndarray) -> list[np.ndarray]:
        made = pairs.features(positions)
        labels = np.stack([made[name] for name in PAIRS.labels], axis=1)  # [batch, 2]
        return [labels.astype(np.int64), *(made[name] for name in PAIRS.images)]

    labels, *images = tf.numpy_function(
        features, [positions], [tf.int64] + 3 * [tf.uint8], stateful=False
    )
    return {
        'labels': tf.ensure_shape(labels, [None, 2]),
        **dict(zip(PAIRS.images, images, strict=True)),
    }
