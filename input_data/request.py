"""What a job asks of a data set, and what it is told about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from input_data.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf
    from PIL import Image


@dataclasses.dataclass(frozen=True)
class Batching:
    """How to cut the line of training examples."""

    batch_size: int  # examples of one step, over all workers and replicas
    seed: int = 0
    first_step: int = 0  # the step the first batch is for
    num_workers: int = 1  # processes that train together
    worker: int = 0  # which of them this is
    replicas: int = 1  # devices of this process; each gets a batch of its own, in order

    @property
    def part_size(self) -> int:
        """Examples of one step on one device."""
        return self.batch_size // (self.num_workers * self.replicas)


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """Static facts about the examples of a data set."""

    height: int  # of an image, in pixels
    width: int
    depth: int  # channels
    num_classes: int = 10
    num_targets: int = 1  # objects in one image
    num_examples: int = 0  # in the split that is read
    note: str = ''  # which data these are, where two kinds could be confused
    class_names: tuple[str, ...] | None = None  # where they have others than their numbers


@dataclasses.dataclass(frozen=True)
class InputRequest:
    """Which examples a job wants, and how."""

    data_dir: str  # as --data_dir: a directory, file, pattern or prefix@N
    split: str  # 'train' (shuffled and distorted, endless) or 'test' (in order, once)
    num_targets: int = 1
    validate: bool = False  # hold part of the training set out; 'test' is then that part
    batching: Batching = Batching(128)  # of 'train'
    eval_batch_size: int = 100  # of 'test'
    eval_size: int | None = None  # most examples of 'test'; None for the data set's own number
    shift: int | None = None  # largest move of digits made on the fly; None for the paper's
    image_size: int | None = None  # that pictures are brought to; None for the data set's own
    strict: bool = False  # refuse a file that is no picture, in place of passing it over

    @property
    def part(self) -> str:
        """Which part of the files: 'train', 'test', or 'valid_train' and 'valid_test'."""
        return f'valid_{self.split}' if self.validate else self.split

    @property
    def limit(self) -> int | None:
        """The most examples to read; None for all."""
        return self.eval_size if self.split == 'test' else None

    def check_targets(self, dataset: str, num_targets: int = 1) -> None:
        """Raises DataError if images of another number of objects are asked for."""
        if self.num_targets != num_targets:
            raise DataError(
                f'--num_targets={self.num_targets}: expected {num_targets} for --dataset={dataset}'
            )


class RawImages(NamedTuple):
    """Images as they come from outside, and how the reader of test images treats them."""

    shape: tuple[int, int, int]  # height, width, depth of a uint8 image
    to_input: Callable[[tf.Tensor], tf.Tensor]  # uint8 [batch, *shape] -> the network's input
    # How a picture of any size becomes uint8 [*shape]; None where it is a digit or a photograph
    # that prediction treats in its own way.
    fit: Callable[[Image.Image], np.ndarray] | None = None
