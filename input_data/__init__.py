"""Data sets by name: files in `data_dir` -> a tf.data.Dataset of feature batches.

A batch is a dict of
  images         [batch, height, width, depth] float32, the network's input
  labels         [batch, num_classes] float32, one-hot or two-hot
  target_labels  [batch, num_targets] int32, the class of each target
  target_images  [batch, num_targets, height, width, depth] float32, what to reconstruct
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import re
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from input_data.errors import DataError
from input_data.request import Batching, DatasetInfo, InputRequest, RawImages

if TYPE_CHECKING:
    import tensorflow as tf

# The modules are imported at first use: the programs that write raw files and records need no
# TensorFlow.
DATASETS: dict[str, str] = {
    'mnist': 'input_data.mnist.mnist_input_record',
    'shifted_mnist': 'input_data.mnist.shifted_mnist',
    'multi_mnist': 'input_data.mnist.multi_mnist',
    'affnist': 'input_data.affnist.affnist_input',
    'norb': 'input_data.norb.norb_input_record',
    'cifar10': 'input_data.cifar10.cifar10_input',
    'image_folder': 'input_data.image_folder.image_folder_input',
}

# What each module offers:
#   inputs(request) -> (dataset, info)
#   check(request), which looks at every example and raises DataError for the first broken one
#   raw_images(info) -> RawImages, by which prediction and export treat images from outside
#   EVAL_SIZE, the number of examples to evaluate by default; None for all
#   SHIFT, only where images are moved on the fly: by how much without --shift, in pixels
#   IMAGE_SIZE, only where pictures are of any size: to which they are brought without --image_size
OFFERS = ('inputs', 'check', 'raw_images', 'EVAL_SIZE')


def inputs(name: str, request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Feature batches of a data set, and the facts about it.

    Args:
      name: a key of `DATASETS`.
      request: which examples, and how.

    Raises:
      DataError: if files are missing, unreadable, corrupt or of another kind.
    """
    module = _module(name)
    for flag in ('shift', 'image_size'):
        value = getattr(request, flag)
        if value is not None and not hasattr(module, flag.upper()):
            raise DataError(
                f'--{flag}={value}: found --dataset={name}, whose files hold images as they are; '
                f'expected no --{flag}'
            )
    if request.eval_size is None:
        request = dataclasses.replace(request, eval_size=module.EVAL_SIZE)
    return module.inputs(request)


def check(name: str, request: InputRequest) -> None:
    """Raises DataError for the first broken example that a request reads; slow."""
    _module(name).check(request)


@contextlib.contextmanager
def naming_faults(name: str, request: InputRequest) -> Iterator[None]:
    """Turns what stops a graph at a broken example into a DataError that says which it is."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, UnicodeDecodeError) as error:
        check(name, request)
        # Files without a fault were others while they were read.
        if told := re.search(f'{DataError.__name__}: (.*)', str(error)):
            raise DataError(f'{told[1]}; it has changed since it was opened') from error
        raise


def raw_images(name: str, info: DatasetInfo) -> RawImages:
    """How images from outside become the network's input, which is as `info` says."""
    return _module(name).raw_images(info)


def _module(name: str) -> ModuleType:
    if name not in DATASETS:
        known = ', '.join(DATASETS)
        raise DataError(f'--dataset: unknown data set {name!r}; valid data sets: {known}')
    module = importlib.import_module(DATASETS[name])
    if missing := [offer for offer in OFFERS if not hasattr(module, offer)]:
        raise DataError(
            f'--dataset={name}: found no {", ".join(missing)} in {module.__name__}; expected '
            f'{", ".join(OFFERS)}'
        )
    return module


__all__ = [
    'DATASETS',
    'Batching',
    'DataError',
    'DatasetInfo',
    'InputRequest',
    'RawImages',
    'check',
    'inputs',
    'naming_faults',
    'raw_images',
]
