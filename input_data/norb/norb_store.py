"""Holds records in memory that shrink as they are parsed."""

import math
import mmap
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from input_data.batching import Examples
from input_data.errors import DataError
from input_data.records import frames
from input_data.records import read as records

MEMORY_LIMIT_BYTES = 4 * records.MEMORY_LIMIT_BYTES  # sets with larger record files are streamed
PARSE_BATCH = 128  # records parsed by one call


def open_set(
    paths: Sequence[str], parse: records.ParseBatch, limit: int | None = None
) -> Examples | records.StreamedExamples:
    """As `records.open_set`, but for examples that `parse` makes four times smaller.

    As the batches come they are put into arrays that TensorFlow takes as they are; joined in the
    end they would need three times as much.
    """
    file_bytes = sum(os.path.getsize(path) for path in paths)
    if file_bytes > MEMORY_LIMIT_BYTES:
        return records.open_set(paths, parse)
    total = sum(frames.count(path).num_records for path in paths)
    total = total if limit is None else min(limit, total)
    serialized = records.serialized_examples(paths, total).batch(PARSE_BATCH)
    parsed = serialized.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    arrays, filled = {}, 0
    for batch in parsed.as_numpy_iterator():
        count = len(batch['labels'])
        for name, values in batch.items():
            if name not in arrays:
                if total * math.prod(values.shape[1:]) * values.itemsize > file_bytes:
                    raise DataError(f'{paths[0]}: found records of several sizes; expected one')
                arrays[name] = _page_aligned((total, *values.shape[1:]), values.dtype)
            arrays[name][filled : filled + count] = values
        filled += count
    tensors = {
        name: tf.experimental.dlpack.from_dlpack(values[:filled].__dlpack__())
        for name, values in arrays.items()
    }
    return Examples(tensors)


def _page_aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array, not filled, that starts where TensorFlow can work on it."""
    num_bytes = math.prod(shape) * dtype.itemsize
    store = np.empty(num_bytes + mmap.PAGESIZE, np.uint8)
    start = -store.ctypes.data % mmap.PAGESIZE
    return store[start : start + num_bytes].view(dtype).reshape(shape)
