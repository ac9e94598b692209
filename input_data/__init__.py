"""Data sets by name: files in `data_dir` -> a tf.data.Dataset of feature batches.

A batch is a dict of
  images         [batch, height, width, depth] float32, the network's input
  labels         [batch, num_classes] float32, one-hot or two-hot
  target_labels  [batch, num_targets] int32, the class of each target
  target_images  [batch, num_targets, height, width, depth] float32, what to reconstruct
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from input_data.errors import DataError
from input_data.info import Batching, DatasetInfo, InputRequest

if TYPE_CHECKING:
    import tensorflow as tf

# Each module has `inputs(request) -> (dataset, info)` and `check(request)`, which looks at
# every example and raises DataError for the first that is broken. They are imported at first
# use: the programs that write raw files and records need no TensorFlow.
DATASETS: dict[str, str] = {
    'mnist': 'input_data.mnist.mnist_input_record',
}


def inputs(name: str, request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Feature batches of a data set, and the facts about it.

    Args:
      name: a key of `DATASETS`.
      request: which examples, and how.

    Raises:
      DataError: if files are missing, unreadable, corrupt or of another kind.
    """
    return _module(name).inputs(request)


def check(name: str, request: InputRequest) -> None:
    """Looks at every example that a request reads; slow.

    Raises:
      DataError: naming the file and the first example that is broken.
    """
    _module(name).check(request)


def _module(name: str) -> ModuleType:
    if name not in DATASETS:
        known = ', '.join(DATASETS)
        raise DataError(f'--dataset: unknown data set {name!r}; valid data sets: {known}')
    return importlib.import_module(DATASETS[name])


__all__ = ['DATASETS', 'Batching', 'DataError', 'DatasetInfo', 'InputRequest', 'check', 'inputs']
