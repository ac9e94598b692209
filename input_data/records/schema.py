"""What the records of a data set hold, stated once: to read them, and to tell their faults.

The records of all data sets here are images of one size, as bytes in (depth, height, width) order,
with the classes of what they show and perhaps further integers.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from input_data.errors import DataError

SIZES = ('height', 'width', 'depth')


@dataclasses.dataclass(frozen=True)
class Schema:
    """The features of a record, by name, and what may be in them."""

    kind: str  # of records, as messages call it
    images: tuple[str, ...]  # bytes, height * width * depth each
    depth: int
    sides: Sequence[int]  # that heights and widths may have
    size: str  # depth and sides in words
    num_classes: int
    labels: tuple[str, ...] = ('label',)  # one class each, below num_classes
    others: Mapping[str, int] = dataclasses.field(default_factory=dict)  # numbers of integers
    suspect: str = '--dataset'  # what is wrong where records are of another kind
    height: int = 0  # of the first record, to which `fit` looks
    width: int = 0

    def fit(self, path: str, example: tf.train.Example) -> 'Schema':
        """With the size of the first record of `path`, which all others must have.

        Raises:
          DataError: if the record is of another kind or its size is none of those expected.
        """
        features = example.features.feature
        if any(name not in features for name in self._names):
            raise DataError(
                f'{path}: these are not records of {self.kind}: expected '
                f'{", ".join(self._names)}; found {", ".join(sorted(features))} '
                f'(another {self.suspect}?)'
            )
        height, width, depth = sizes = [_one(features[name].int64_list.value) for name in SIZES]
        if depth != self.depth or height not in self.sides or width not in self.sides:
            found = 'x'.join(map(str, sizes))
            raise DataError(f'{path}: record 0: expected {self.size}, found {found}')
        return dataclasses.replace(self, height=height, width=width)

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialised records [batch] -> their features.

        Returns:
          images uint8 [batch, depth, height, width] and further integers int64 [batch, n] under
          their names, and `labels` int64 [batch, targets].

        Raises:
          tf.errors.InvalidArgumentError: where `fault` finds one.
        """
        spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in (*SIZES, *self.labels)}
        for name, count in self.others.items():
            spec[name] = tf.io.FixedLenFeature([count], tf.int64)
        for name in self.images:
            spec[name] = tf.io.FixedLenFeature([], tf.string)
        parsed = tf.io.parse_example(serialized, spec)
        size = [self.height, self.width, self.depth]
        sizes = tf.stack([parsed[name] for name in SIZES], axis=1)  # [batch, 3]
        labels = tf.stack([parsed[name] for name in self.labels], axis=1)  # [batch, targets]
        as_expected = [
            tf.debugging.assert_equal(sizes, tf.constant([size], tf.int64)),
            tf.debugging.assert_non_negative(labels),
            tf.debugging.assert_less(labels, tf.constant(self.num_classes, tf.int64)),
        ]
        with tf.control_dependencies(as_expected):
            features = {name: tf.io.decode_raw(parsed[name], tf.uint8) for name in self.images}
            for name, pixels in features.items():
                pixels = tf.ensure_shape(pixels, [None, math.prod(size)])
                features[name] = tf.reshape(pixels, [-1, self.depth, self.height, self.width])
            others = {name: parsed[name] for name in self.others}
            return {**features, **others, 'labels': tf.identity(labels)}

    def fault(self, example: tf.train.Example) -> str | None:
        """What is wrong with a record, in words, or None."""
        features = example.features.feature
        missing = [name for name in self._names if name not in features]
        if missing:
            return f'has no feature {missing[0]}; it has {", ".join(sorted(features))}'
        sizes = [_one(features[name].int64_list.value) for name in SIZES]
        expected = [self.height, self.width, self.depth]
        if sizes != expected:
            found, first = ('x'.join(map(str, each)) for each in (sizes, expected))
            return f'is {found}, but the first record is {first}'
        pixels = self.height * self.width * self.depth
        for name in self.images:
            lengths = [len(value) for value in features[name].bytes_list.value]
            if lengths != [pixels]:
                return f'{name} has {" + ".join(map(str, lengths)) or 0} bytes, expected {pixels}'
        for name in self.labels:
            label = _one(features[name].int64_list.value)
            if not isinstance(label, int) or not 0 <= label < self.num_classes:
                return f'{name} is {label}, expected a class from 0 to {self.num_classes - 1}'
        for name, count in self.others.items():
            numbers = len(features[name].int64_list.value)
            if numbers != count:
                return f'{name} has {numbers} numbers, expected {count}'
        return None

    @property
    def _names(self) -> tuple[str, ...]:
        return (*SIZES, *self.labels, *self.others, *self.images)


def _one(values: Sequence[int]) -> Any:
    """The one integer of a feature; where there are none or several, the list of them."""
    return values[0] if len(values) == 1 else list(values)
