"""The program that makes the stand-in: what it writes, repeatability, and what it refuses."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from input_data.affnist import affnist_make, standin
from input_data.mnist import testing

_PROGRAM = pathlib.Path(affnist_make.__file__)


class AffnistMakeTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.raw = self.create_tempdir().full_path
        self.images, self.labels = testing.write_raw(self.raw, size=(20, 20))['test']
        self.output = self.create_tempdir().full_path

    def make(self, *arguments: str) -> bytes:
        """Runs the program in this process and returns the records' bytes."""
        arguments = (f'--data_dir={self.raw}', f'--output_dir={self.output}', *arguments)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(affnist_make.run(list(arguments)), 0)
        self.assertIn('not the official affNIST', printed.getvalue())
        self.assertEqual(os.listdir(self.output), ['affnist_standin_test.tfrecords'])
        return pathlib.Path(self.output, standin.FILE_NAME).read_bytes()

    def fail_with(self, *arguments: str) -> str:
        """Runs the program, which must fail; returns the one line that it says why."""
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = affnist_make.run(
                [f'--output_dir={self.output}', '--num_workers=1', *arguments]
            )
        self.assertEqual(status, 1)
        self.assertRegex(errors.getvalue(), r'\Aaffnist_make: [^\n]+\n\Z')
        self.assertEqual(os.listdir(self.output), [])
        return errors.getvalue()

    def test_records(self):
        self.make('--per_digit=3', '--num_workers=1')
        path = f'{self.output}/{standin.FILE_NAME}'
        features = [
            tf.train.Example.FromString(record).features.feature
            for record in tf.data.TFRecordDataset(path).as_numpy_iterator()
        ]
        for name, value in (('height', 40), ('width', 40), ('depth', 1), (standin.MARK, 1)):
            self.assertEqual({each[name].int64_list.value[0] for each in features}, {value})
        labels = [each['label'].int64_list.value[0] for each in features]
        self.assertEqual(labels, [*self.labels] * 3)
        raw = [each['image_raw'].bytes_list.value[0] for each in features]
        self.assertLen(set(raw), 36)
        source = standin.StandIn(self.images, self.labels, per_digit=3, seed=0)
        backwards = source.features(np.arange(36)[::-1])['image_raw'][::-1]
        self.assertEqual(raw, [image.tobytes() for image in backwards])
        # Area grows and shrinks with the scales, 0.64 to 1.44 times.
        ink = np.array([np.frombuffer(image, np.uint8).sum(dtype=float) for image in raw])
        ratio = ink / np.tile(self.images.sum(axis=(1, 2), dtype=float), 3)
        self.assertBetween(ratio.min(), 0.63, 1)
        self.assertBetween(ratio.max(), 1, 1.45)

    def test_same_bytes_for_any_workers_and_more_of_the_same(self):
        few = self.make('--per_digit=3', '--num_workers=1')
        self.assertEqual(self.make('--per_digit=3', '--num_workers=3'), few)
        self.assertEqual(self.make('--per_digit=5', '--num_workers=1')[: len(few)], few)
        self.assertNotEqual(self.make('--per_digit=3', '--num_workers=1', '--seed=1'), few)

    def test_runs_as_a_program_without_tensorflow(self):
        code = (
            f'import sys, runpy; sys.argv = ["affnist_make", "--data_dir={self.raw}", '
            f'"--output_dir={self.output}", "--per_digit=1"]; '
            f'sys.modules["tensorflow"] = None; sys.modules["scipy"] = None; '
            f'runpy.run_path({str(_PROGRAM)!r}, run_name="__main__")'
        )
        done = subprocess.run(
            [sys.executable, '-c', code], cwd='/', capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.listdir(self.output), [standin.FILE_NAME])

    @parameterized.parameters(
        (('--per_digit=0',), '--per_digit=0: expected 1 or more'),
        (('--seed=-1',), '--seed=-1: expected 0 or more'),
        (('--colour=red',), "Unknown command line flag 'colour'"),
        (('here',), 'here: unexpected argument'),
    )
    def test_bad_flags(self, arguments, message):
        self.assertIn(message, self.fail_with(f'--data_dir={self.raw}', *arguments))

    def test_bad_data(self):
        self.assertIn('--data_dir: not given', self.fail_with())
        self.assertIn('no such folder', self.fail_with('--data_dir=/nowhere'))
        testing.write_raw(self.raw, classes=12)
        self.assertIn('found label 11', self.fail_with(f'--data_dir={self.raw}'))
        testing.write_raw(self.raw, size=(40, 40))
        message = self.fail_with(f'--data_dir={self.raw}')
        self.assertRegex(message, '--data_dir: found an image that does not fit into 40x40 pixels')


if __name__ == '__main__':
    absltest.main()
