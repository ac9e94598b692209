"""Writes records of shifted MNIST digits, or of overlapping pairs of them (MultiMNIST)."""

import os
import pathlib
import sys
import time

from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from input_data import command_line
from input_data.command_line import OUTPUT_DIR, Option
from input_data.errors import DataError
from input_data.mnist import augment, raw
from input_data.records.write import Source, write_records


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    started = time.monotonic()
    images, labels = raw.read_split(values.data_dir, values.split, values.max_load)
    if labels.max() > 127:
        raise DataError(
            f'--data_dir={values.data_dir}: found label {labels.max()}; expected 127 at most'
        )
    sizes = {'shift': values.shift, 'pad': values.pad}
    draws = {'num_pairs': values.num_pairs, 'seed': values.seed, 'split': values.split}
    source: Source = (
        augment.Pairs(images, labels, **sizes, **draws)
        if values.multi_targets
        else augment.Singles(images, labels, **sizes)
    )
    kind = 'multi' if values.multi_targets else ''
    name = f'{kind}{values.split}_{values.shift}shifted_mnist.tfrecords'
    path = os.path.join(values.output_dir, name)
    shards = -(-source.count // values.max_shard) if values.max_shard else 1
    paths = [f'{path}-{shard:05d}-of-{shards:05d}' for shard in range(shards)]
    if shards == 1 and not values.multi_targets:
        paths = [path]
    write_records((source, paths), num_workers=values.num_workers)
    seconds = time.monotonic() - started
    print(paths[0] if len(paths) == 1 else f'{paths[0]} to {os.path.basename(paths[-1])}')
    print(
        f'{len(paths)} files, {source.count} records, {source.height}x{source.width} pixels, '
        f'{seconds:.1f} s, {source.count / seconds:.0f} records/s'
    )


run = command_line.program(
    'mnist_shift',
    __doc__,
    main,
    "the folder of MNIST's four raw files",
    [
        OUTPUT_DIR,
        Option('split', 'train', f'One of {", ".join(raw.SPLITS)}.'),
        Option('shift', 2, 'Largest move on each axis, in pixels.'),
        Option('pad', 0, 'Zeros added on each side before shifting, in pixels.', least=0),
        Option('multi_targets', False, 'Write overlapping pairs in place of single digits.'),
        Option('num_pairs', 10, 'Pairs for each digit (1000 in the paper).', least=1),
        Option('max_shard', 0, 'Most records in a file; 0: all in one file.', least=0),
        Option('max_load', 0, 'Most raw images to read; 0 or less: all.'),
        Option('seed', 0, 'What is drawn for pairs, and their order, follows from it.'),
        Option('num_workers', os.cpu_count() or 1, 'Processes that make records.', least=1),
    ],
)

if __name__ == '__main__':
    sys.exit(run())
