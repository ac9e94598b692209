"""Tests of the program that writes smallNORB's records."""

import contextlib
import gzip
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from input_data.errors import DataError
from input_data.norb import norb_convert, testing
from input_data.released_testing import released_folders

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _examples(path: str | pathlib.Path) -> list[dict[str, list]]:
    decoded = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        decoded.append(
            {
                name: list(value.int64_list.value) or list(value.bytes_list.value)
                for name, value in features.items()
            }
        )
    return decoded


def _run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the program, run in this process."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(io.StringIO()) as errors,
    ):
        status = norb_convert.run(list(arguments))
    return status, output.getvalue(), errors.getvalue()


class NorbConvertTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.toys = {
            'train': testing.toys([4, 9], views=2, seed=1),
            'test': testing.toys([0, 5], seed=2),
        }
        self.paths = {
            split: testing.write_split(self.folder, split, arrays)
            for split, arrays in self.toys.items()
        }
        self.raw = set(os.listdir(self.folder))

    def assert_fails(self, message: str, *arguments: str):
        """The program ends with one line on standard error, and no new file."""
        status, _, errors = _run(*arguments)
        self.assertNotEqual(status, 0)
        self.assertRegex(errors, r'\Anorb_convert: [^\n]+\n\Z')
        self.assertRegex(errors, message)
        self.assertEqual(set(os.listdir(self.folder)), self.raw)

    def test_records_are_the_raw_examples_in_order(self):
        status, output, _ = _run(f'--data_dir={self.folder}')
        self.assertEqual(status, 0)
        self.assertIn('trainduo.tfrecords: 20 records of 10 toys', output)
        self.assertIn('No toy (category, instance) is in both.', output)
        for split, arrays in self.toys.items():
            expected = [
                {
                    'height': [96],
                    'width': [96],
                    'depth': [2],
                    'label': [category],
                    'meta': info.tolist(),
                    'image_raw': [image.tobytes()],
                }
                for image, category, info in zip(*arrays.values(), strict=True)
            ]
            self.assertEqual(_examples(f'{self.folder}/{split}duo.tfrecords'), expected)

    def test_same_bytes_again_and_from_compressed_files(self):
        contents = []
        for name in ('first', 'second', 'packed'):
            if name == 'packed':
                for path in (path for paths in self.paths.values() for path in paths.values()):
                    pathlib.Path(f'{path}.gz').write_bytes(gzip.compress(path.read_bytes()))
                    path.unlink()
            output_dir = pathlib.Path(self.folder, name)
            self.assertEqual(_run(f'--data_dir={self.folder}', f'--output_dir={output_dir}')[0], 0)
            files = sorted(output_dir.iterdir())
            self.assertEqual(
                [file.name for file in files], ['testduo.tfrecords', 'trainduo.tfrecords']
            )
            contents.append([file.read_bytes() for file in files])
        self.assertTrue(contents[0] == contents[1] == contents[2])

    def test_features_are_those_of_the_released_records(self):
        _run(f'--data_dir={self.folder}')
        for folder in released_folders(self.enter_context(tempfile.TemporaryDirectory())):
            for split in ('train', 'test'):
                released = _examples(folder / f'{split}duo.tfrecords')[0]
                written = _examples(f'{self.folder}/{split}duo.tfrecords')[0]
                self.assertEqual(
                    {name: np.shape(value) for name, value in released.items()},
                    {name: np.shape(value) for name, value in written.items()},
                )
                self.assertEqual(len(released['image_raw'][0]), len(written['image_raw'][0]))

    def test_shared_toy_is_refused(self):
        testing.write_split(self.folder, 'test', testing.toys([0, 9]))
        message = f'{self.paths["test"]["dat"]}: found 5 toys .* category 0 instance 9; expected'
        self.assert_fails(message, f'--data_dir={self.folder}')

    @parameterized.parameters(
        ('--data_dir=', '--data_dir: not given'),
        ('--data_dir=/nowhere/at/all', '--data_dir=/nowhere/at/all: no such folder'),
        ('--nonsense', 'nonsense'),
        ('extra', 'extra: unexpected argument'),
        ('--output_dir=/dev/null/below', '/dev/null'),
    )
    def test_bad_flag_is_one_line(self, argument, message):
        self.assert_fails(message, f'--data_dir={self.folder}', argument)

    def test_bad_file_leaves_old_records(self):
        records = [pathlib.Path(self.folder, f'{name}duo.tfrecords') for name in ('train', 'test')]
        for path in records:
            path.write_bytes(b'old')
            self.raw.add(path.name)
        images = self.paths['test']['dat']
        content = images.read_bytes()
        folder = f'--data_dir={self.folder}'
        for bad in (content[:-1], gzip.compress(content[:-1]), gzip.compress(content)[:-20]):
            images.write_bytes(bad)
            self.assert_fails(f'{images}: found', folder)
        images.write_bytes(content)
        usage = shutil.disk_usage(self.folder)._replace(free=100)
        with mock.patch.object(shutil, 'disk_usage', return_value=usage):
            self.assert_fails('100 bytes free', folder)
        self.assertEqual([path.read_bytes() for path in records], [b'old', b'old'])

    def test_debug_keeps_the_traceback(self):
        with self.assertRaises(DataError):
            _run('--data_dir=/nowhere', '--debug')

    @parameterized.parameters(
        (['norb_convert.py'], 'input_data/norb'),
        (['input_data/norb/norb_convert.py'], '.'),
        (['-m', 'input_data.norb.norb_convert'], '.'),
    )
    def test_runs_as_script_and_as_module(self, program, folder):
        command = [sys.executable, *program, f'--data_dir={self.folder}']
        done = subprocess.run(command, cwd=_ROOT / folder, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b''))
        self.assertLen(_examples(f'{self.folder}/testduo.tfrecords'), 10)


if __name__ == '__main__':
    absltest.main()
