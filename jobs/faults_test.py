"""A selection of what `python -m benchmarks.faults` tries: kills and full disks."""

import pathlib
import random

import tensorflow as tf

from benchmarks import faults_disk, faults_files


class FaultsTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def test_mnist_shift_killed(self):
        faults = faults_files.killed_in_mnist_shift(self.folder, 4, random.Random(0))
        self.assertEqual(list(faults), [''] * 4)

    def test_disk_full_in_mnist_shift(self):
        try:
            faults = list(faults_disk.full_in_mnist_shift(self.folder, 2, random.Random(0)))
        except faults_disk.Skipped as reason:
            self.skipTest(str(reason))
        self.assertEqual(faults, [''] * 2)


if __name__ == '__main__':
    tf.test.main()
