"""Reads record files (TFRecord) as batches, or record by record to look for faults.

Small sets are parsed once and held in memory; of larger ones each record is read when a step wants
it. Both are shuffled alike, over the whole set (see `input_data.batching`).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.batching import Examples, Raw
from input_data.errors import DataError
from input_data.records.frames import RecordFiles
from input_data.records.schema import Schema

MEMORY_LIMIT_BYTES = 256 << 20  # larger sets stay in their files
PARSE_BATCH = 512  # records parsed by one call when a whole set is read

# What TensorFlow raises for damaged records. It quotes them, and Python wants text of its words.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)


def open_files(paths: Sequence[str], schema: Schema) -> tuple[RecordFiles, Schema]:
    """Record files, and the schema with the size of the first record; raises DataError for both."""
    files = RecordFiles(paths)
    return files, schema.fit(paths[0], first_example(files))


def first_example(files: RecordFiles) -> tf.train.Example:
    """The first record; raises DataError if it is corrupt or no tf.train.Example."""
    return next(_examples(files))[2]


def open_examples(
    files: RecordFiles,
    schema: Schema,
    limit: int | None = None,
    to_raw: Callable[[dict[str, tf.Tensor]], Raw] = lambda parsed: parsed,
) -> Examples:
    """The examples of record files, held in memory where there is little of them.

    Args:
      files: of the records.
      schema: what they hold.
      limit: hold at most this many examples, the first ones.
      to_raw: turns what `Schema.parse` gives into what is to be held.

    Raises:
      DataError: if a record that is to be held is broken. Others break the data set where they
        are wanted, with one of READ_ERRORS.
    """

    def take(numbers: tf.Tensor) -> Raw:
        serialized = tf.numpy_function(files.read, [numbers], tf.string, stateful=False)
        return to_raw(schema.parse(tf.ensure_shape(serialized, numbers.shape)))

    stored = Examples(len(files), take)
    if files.num_bytes > MEMORY_LIMIT_BYTES:
        return stored
    with _explained(files, schema):
        limit = len(files) if limit is None else limit
        batches = [batch.raw for batch in stored.in_order(PARSE_BATCH, limit).as_numpy_iterator()]
    return batching.hold({name: np.concatenate([b[name] for b in batches]) for name in batches[0]})


def read_integers(
    files: RecordFiles, schema: Schema, counts: dict[str, int], limit: int | None = None
) -> dict[str, np.ndarray]:
    """Some integers of all records, or of the first `limit`: int64 [records, count] by name.

    Args:
      files: of the records.
      schema: what they hold, to find the fault where they do not.
      counts: how many integers, by name of the feature.
      limit: most records to look at.

    Raises:
      DataError: if a record is corrupt or has others.
    """
    spec = {name: tf.io.FixedLenFeature([count], tf.int64) for name, count in counts.items()}
    total = len(files) if limit is None else min(limit, len(files))
    with _explained(files, schema):
        batches = [
            tf.io.parse_example(files.read(np.arange(total)[start : start + PARSE_BATCH]), spec)
            for start in range(0, total, PARSE_BATCH)
        ]
    return {name: np.concatenate([b[name].numpy() for b in batches]) for name in counts}


def check(files: RecordFiles, schema: Schema) -> None:
    """Raises DataError for the first record with a fault; slow."""
    for path, record, example in _examples(files):
        if fault := schema.fault(example):
            raise DataError(f'{path}: record {record}: {fault}')


@contextlib.contextmanager
def _explained(files: RecordFiles, schema: Schema) -> Iterator[None]:
    """Turns READ_ERRORS into a DataError that names the record."""
    try:
        yield
    except READ_ERRORS as error:
        check(files, schema)
        found = getattr(error, 'message', '').split('\n')[0] or 'a record that is no example'
        raise DataError(
            f'{files.files[0].path}: found {found}; expected records that can be read'
        ) from error


def _examples(files: RecordFiles) -> Iterator[tuple[str, int, tf.train.Example]]:
    """(path, number in this file, record parsed) of each."""
    for path, record, serialized in files:
        try:
            yield path, record, tf.train.Example.FromString(serialized)
        except Exception as error:
            if type(error).__name__ != 'DecodeError':  # protobuf's; its module moves with versions
                raise
            raise DataError(f'{path}: record {record} is not a tf.train.Example') from error
