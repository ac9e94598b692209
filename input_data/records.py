"""Reads record files (TFRecord) as batches, or record by record to look for faults.

Small sets are parsed once and held in memory; larger ones are streamed shard by shard. Both
give the same kind of batches (see `input_data.batching`).
"""

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from input_data import batching as batching_lib
from input_data.batching import Examples, Indexed, Raw
from input_data.errors import DataError
from input_data.info import Batching
from input_data.record_files import Shard, count

MEMORY_LIMIT_BYTES = 256 << 20  # sets with larger record files are streamed
SHUFFLE_BYTES = 64 << 20  # of records held to draw from while streaming
PARSE_BATCH = 512  # records parsed by one call when a whole file is read

ParseBatch = Callable[[tf.Tensor], Raw]  # [batch] serialised records -> arrays


def first_record(path: str) -> tf.train.Example:
    """The first record of a file, parsed.

    Raises:
      DataError: if it is corrupt or no tf.train.Example.
    """
    for example in examples(path):
        return example
    raise DataError(f'{path}: the record file is empty')


def examples(path: str) -> Iterator[tf.train.Example]:
    """Every record of a file, parsed one by one; slow, for looking at single records.

    Raises:
      DataError: at the first record that is corrupt or no tf.train.Example.
    """
    record = 0
    try:
        for serialized in tf.data.TFRecordDataset(path):
            yield tf.train.Example.FromString(serialized.numpy())
            record += 1
    except tf.errors.DataLossError as error:
        count(path)  # tells a foreign or cut file from a corrupt record
        raise DataError(f'{path}: record {record} is corrupt (checksum does not match)') from error
    except Exception as error:
        if type(error).__name__ != 'DecodeError':  # protobuf's; its module moves with versions
            raise
        raise DataError(f'{path}: record {record} is not a tf.train.Example') from error


def open_set(paths: Sequence[str], parse: ParseBatch, limit: int | None = None):
    """The examples of record files: `Examples` in memory if they fit, else `StreamedExamples`.

    Args:
      paths: record files.
      parse: turns serialised records into arrays; raises tf.errors.InvalidArgumentError.
      limit: hold at most this many examples, the first ones.

    Raises:
      DataError: if a file is unreadable or corrupt.
    """
    shards = [count(path) for path in paths]
    if sum(os.path.getsize(path) for path in paths) > MEMORY_LIMIT_BYTES:
        return StreamedExamples(shards, parse)
    serialized = tf.data.TFRecordDataset(list(paths))
    if limit is not None:
        serialized = serialized.take(limit)
    parsed = serialized.batch(PARSE_BATCH).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    batches = list(parsed.as_numpy_iterator())
    return Examples({name: np.concatenate([b[name] for b in batches]) for name in batches[0]})


class StreamedExamples:
    """Record files too large for memory, with the interface of `batching.Examples`.

    An epoch reads the shards in a random order and each shard through a shuffle buffer, both
    seeded by (seed, epoch). Entering in the middle skips whole shards without reading them and
    the rest of one shard without parsing it.
    """

    def __init__(self, shards: Sequence[Shard], parse: ParseBatch):
        self.num_examples = sum(shard.num_records for shard in shards)
        self._shards = list(shards)
        self._parse = parse
        largest = max(os.path.getsize(shard.path) // shard.num_records for shard in shards)
        self._buffer = max(2, SHUFFLE_BYTES // largest)

    def training(self, batching: Batching) -> tf.data.Dataset:
        """Endless `Indexed` batches of `batching.part_size` examples."""
        size = batching.part_size
        first = batching.first_step * batching.batch_size
        batches = self._line(first, batching.seed).batch(size * batching.replicas)
        if batching.num_workers > 1:
            batches = batches.shard(batching.num_workers, batching.worker)
        if batching.replicas > 1:
            batches = batches.rebatch(size)

        def load(part: tf.Tensor, serialized: tf.Tensor) -> Indexed:
            positions = batching_lib.part_start(part, batching) + tf.range(size, dtype=tf.int64)
            return Indexed(positions, self._parse(serialized))

        return tf.data.Dataset.zip((batching_lib.parts(batching), batches)).map(
            load, num_parallel_calls=tf.data.AUTOTUNE
        )

    def in_order(self, batch_size: int, limit: int) -> tf.data.Dataset:
        """The first `limit` examples as `Indexed` batches; the last may be smaller."""
        files = [shard.path for shard in self._shards]
        serialized = tf.data.TFRecordDataset(files).take(limit).enumerate().batch(batch_size)
        return serialized.map(
            lambda positions, batch: Indexed(positions, self._parse(batch)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    def _line(self, first: int, seed: int) -> tf.data.Dataset:
        """Serialised training examples from position `first` of the endless line on."""
        first_epoch, skip = divmod(first, self.num_examples)
        pieces = tf.data.Dataset.from_generator(
            lambda: self._pieces(first_epoch, skip, seed),
            output_signature=(
                tf.TensorSpec([], tf.string),
                tf.TensorSpec([], tf.int64),
                tf.TensorSpec([], tf.int64),
            ),
        )

        def read(path: tf.Tensor, piece_seed: tf.Tensor, skipped: tf.Tensor) -> tf.data.Dataset:
            records = tf.data.TFRecordDataset(path)
            records = records.shuffle(self._buffer, seed=piece_seed, reshuffle_each_iteration=False)
            return records.skip(skipped)

        return pieces.flat_map(read)

    def _pieces(self, epoch: int, skip: int, seed: int) -> Iterator[tuple[str, int, int]]:
        """Endless (path, seed of its shuffle, records to skip), starting in the middle."""
        while True:
            generator = np.random.default_rng((seed, epoch))
            order = generator.permutation(len(self._shards))
            seeds = generator.integers(1, 2**62, len(self._shards))
            for index, piece_seed in zip(order, seeds, strict=True):
                shard = self._shards[index]
                if skip < shard.num_records:
                    yield shard.path, piece_seed, skip
                skip = max(0, skip - shard.num_records)
            epoch += 1


def check(paths: Sequence[str], fault: Callable[[tf.train.Example], str | None]) -> None:
    """Looks at every record; slow, for finding the one that a fast read stumbled over.

    Args:
      paths: record files.
      fault: what is wrong with a record, or None.

    Raises:
      DataError: naming the file and the first record with a fault.
    """
    for path in paths:
        for record, example in enumerate(examples(path)):
            found = fault(example)
            if found:
                raise DataError(f'{path}: record {record}: {found}')
