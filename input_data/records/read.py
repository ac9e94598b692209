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
from input_data.records import frames
from input_data.records.frames import Shard, count
from input_data.request import Batching

MEMORY_LIMIT_BYTES = 256 << 20  # sets with larger record files are streamed
SHUFFLE_BYTES = 64 << 20  # of records held to draw from while streaming
PARSE_BATCH = 512  # records parsed by one call when a whole file is read

# What TensorFlow raises for damaged records. It quotes them, and Python wants text of its words.
READ_ERRORS = (tf.errors.OpError, UnicodeDecodeError)

ParseBatch = Callable[[tf.Tensor], Raw]  # [batch] serialised records -> arrays


def first_record(path: str) -> tf.train.Example:
    """The first record of a file, parsed.

    Raises:
      DataError: if it is corrupt or no tf.train.Example.
    """
    return next(examples(path, limit=1))


def examples(path: str, limit: int | None = None) -> Iterator[tf.train.Example]:
    """Every record of a file, parsed one by one; slow, for looking at single records.

    Args:
      path: a record file.
      limit: stop after this many records.

    Raises:
      DataError: at the first record that is corrupt or no tf.train.Example.
    """
    frames.check_frames(path, limit)
    record = 0
    try:
        for serialized in tf.data.TFRecordDataset(path).take(-1 if limit is None else limit):
            yield tf.train.Example.FromString(serialized.numpy())
            record += 1
    except tf.errors.DataLossError as error:
        raise DataError(f'{path}: record {record} is corrupt (checksum does not match)') from error
    except Exception as error:
        if type(error).__name__ != 'DecodeError':  # protobuf's; its module moves with versions
            raise
        raise DataError(f'{path}: record {record} is not a tf.train.Example') from error


def serialized_examples(paths: Sequence[str], limit: int | None = None) -> tf.data.Dataset:
    """The records of files one after the other, or the first `limit`.

    Each file's frames are looked at before it is read (see `frames.check_frames`); where
    they are damaged, the data set ends with tf.errors.InvalidArgumentError.
    """

    def checked() -> Iterator[str]:
        for path in paths:
            frames.check_frames(path, limit)
            yield path

    files = tf.data.Dataset.from_generator(checked, output_signature=tf.TensorSpec([], tf.string))
    return files.flat_map(tf.data.TFRecordDataset).take(-1 if limit is None else limit)


def open_set(paths: Sequence[str], parse: ParseBatch, limit: int | None = None):
    """The examples of record files: `Examples` in memory if they fit, else `StreamedExamples`.

    Args:
      paths: record files.
      parse: turns serialised records into arrays; raises one of READ_ERRORS.
      limit: hold at most this many examples, the first ones.

    Raises:
      DataError: if a file is unreadable or corrupt.
    """
    shards = [count(path) for path in paths]
    if sum(os.path.getsize(path) for path in paths) > MEMORY_LIMIT_BYTES:
        return StreamedExamples(shards, parse)
    examples = serialized_examples(paths, limit).batch(PARSE_BATCH)
    parsed = examples.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
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
        self._checked: set[str] = set()  # paths of shards whose frames have been looked at
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
        serialized = serialized_examples(files, limit).enumerate().batch(batch_size)
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
                    if shard.path not in self._checked:
                        frames.check_frames(shard.path)
                        self._checked.add(shard.path)
                    yield shard.path, piece_seed, skip
                skip = max(0, skip - shard.num_records)
            epoch += 1


def unexplained(path: str, error: Exception) -> DataError:
    """What to tell of one of READ_ERRORS where a look at every record finds no fault."""
    message = getattr(error, 'message', '') or 'a record that is no example'
    return DataError(f'{path}: found {message.splitlines()[0]}; expected records that can be read')


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
