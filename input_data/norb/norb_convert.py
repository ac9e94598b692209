"""Writes records of smallNORB's raw files: trainduo.tfrecords and testduo.tfrecords."""

import contextlib
import importlib
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Iterator

import tqdm
from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from common import descriptors, files
from common.lock import hold_folder
from input_data import command_line
from input_data.command_line import OUTPUT_DIR
from input_data.errors import DataError
from input_data.norb import raw as norb_files
from input_data.norb.raw import RawSplit

_BLOCK_ROWS = 256
_RECORD_OVERHEAD = 200  # bytes of a record beside its pixels, more than there are


def convert(data_dir: str, output_dir: str, debug: bool = False) -> tuple[RawSplit, RawSplit]:
    """Writes the records of both splits, in the order of the raw files.

    The files appear under their names, together, only when both are whole.

    Args:
      data_dir: the folder of the raw files.
      output_dir: the folder of the records, made if absent.
      debug: let TensorFlow's start-up messages through.

    Returns:
      What was read for training and testing.

    Raises:
      DataError: raw files are absent or damaged, the splits share a toy, or a write failed.
    """
    splits = {name: norb_files.open_split(data_dir, name) for name in ('train', 'test')}
    shared = sorted(splits['train'].objects() & splits['test'].objects())
    if shared:
        raise DataError(
            f'{splits["test"].images_path}: found {len(shared)} toys that '
            f'{splits["train"].images_path} shows too, the first is category {shared[0][0]} '
            f'instance {shared[0][1]}; expected none'
        )
    with contextlib.nullcontext() if debug else descriptors.capture_stderr():
        importlib.import_module('tensorflow')
    paths = [os.path.join(output_dir, f'{name}duo.tfrecords') for name in splits]
    needed = sum(
        len(raw.categories) * (2 * raw.height * raw.width + _RECORD_OVERHEAD)
        for raw in splits.values()
    )
    with hold_folder(f'--output_dir={output_dir}', output_dir):
        free = shutil.disk_usage(output_dir).free
        if needed > free:
            raise DataError(f'{output_dir}: found {free} bytes free on the disk; expected {needed}')
        _write(splits, paths)
    return splits['train'], splits['test']


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    started = time.monotonic()
    train, test = convert(values.data_dir, values.output_dir, values.debug)
    for name, raw in (('train', train), ('test', test)):
        path = os.path.join(values.output_dir, f'{name}duo.tfrecords')
        print(f'{path}: {len(raw.categories)} records of {len(raw.objects())} toys')
    count = len(train.categories) + len(test.categories)
    seconds = time.monotonic() - started
    print('No toy (category, instance) is in both.')
    print(f'{count} records, {seconds:.1f} s, {count / seconds:.0f} records/s')


def _write(splits: dict[str, RawSplit], paths: list[str]) -> None:
    import tensorflow as tf

    total = sum(len(raw.categories) for raw in splits.values())
    with (
        files.replacing(*paths) as temporary,
        tqdm.tqdm(total=total, unit='record', disable=None) as bar,
    ):
        for raw, path in zip(splits.values(), temporary, strict=True):
            try:
                with tf.io.TFRecordWriter(str(path)) as writer:
                    for record in _records(raw):
                        writer.write(record)
                        bar.update()
            except tf.errors.OpError as error:
                raise DataError(f'{path}: {error.message}; expected to be able to write') from error


def _records(raw: RawSplit) -> Iterator[bytes]:
    """Serialised records; the same bytes in every run."""
    import tensorflow as tf

    number = 0
    for block in raw.images(_BLOCK_ROWS):
        for image in block:
            # A new message each: one that is filled again keeps what it held before.
            example = tf.train.Example()
            features = example.features.feature
            for name, value in (
                ('height', [raw.height]),
                ('width', [raw.width]),
                ('depth', [len(image)]),
                ('label', [raw.categories[number]]),
                ('meta', raw.info[number]),
            ):
                features[name].int64_list.value.extend(value)
            features['image_raw'].bytes_list.value.append(image.tobytes())
            yield example.SerializeToString(deterministic=True)
            number += 1


run = command_line.program(
    'norb_convert',
    __doc__,
    main,
    "the folder of smallNORB's six raw files, plain or .gz",
    [OUTPUT_DIR],
)

if __name__ == '__main__':
    sys.exit(run())
