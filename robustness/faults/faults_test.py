"""A selection of what `python -m robustness.faults` tries: a dead worker, kills, full disks."""

import os
import pathlib
import random

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from common import errors
from input_data import testing as records
from jobs import testing
from jobs.evaluation import results, scoring
from models import checkpoint
from robustness.faults import cluster, files
from robustness.faults.disk import Skipped, complaint, full_in_mnist_shift, small_disk


class FaultsTest(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        records.write_singles(str(self.folder), 'train_2', count=40)
        self.flags = dict(
            data_dir=self.folder,
            hparams_override='num_prime_capsules=1,remake=false',
            batch_size=4,
            max_steps=10_000,
            seed=5,
        )

    def small_disk(self, size: int) -> pathlib.Path:
        try:
            return self.enter_context(small_disk(self.folder / 'disk', size))
        except Skipped as reason:
            self.skipTest(str(reason))

    def test_worker_whose_other_worker_dies(self):
        run = self.folder / 'run'
        folders = [run, self.folder / 'other']
        chief, other = testing.start_cluster(folders, save_step=5, **self.flags)
        self.addCleanup(chief.kill)
        self.addCleanup(other.kill)
        testing.wait_for_step(str(run), 5, chief)
        other.kill()
        other.communicate()
        self.assertEqual(cluster.complaint(chief), '')
        checkpoint.verify(checkpoint.latest(str(run / 'train')))

    def test_mnist_shift_killed(self):
        faults = files.killed_in_mnist_shift(self.folder, 4, random.Random(0))
        self.assertEqual(list(faults), [''] * 4)

    def test_disk_full_in_training(self):
        disk = self.small_disk(8 << 20)  # room for some checkpoints
        process = testing.start(summary_dir=disk / 'run', save_step=1, **self.flags)
        self.addCleanup(process.kill)
        self.assertEqual(complaint(process, disk), '')
        train_dir = disk / 'run' / 'train'
        self.assertNotEmpty(checkpoint.steps(str(train_dir)))
        for step in checkpoint.steps(str(train_dir)):
            checkpoint.verify(checkpoint.path_of(str(train_dir), step))
        self.assertEmpty(list(train_dir.glob('*.tempstate*')))

    def test_disk_full_for_predictions(self):
        disk = self.small_disk(16 << 10)
        path = disk / 'predictions.npz'
        scores = np.random.default_rng(0).random((1000, 10), np.float32)
        evaluation = scoring.judge(scores, np.zeros((1000, 1), np.int32), loss=0.0)
        with self.assertRaises(OSError) as caught:
            results.write_predictions(str(path), evaluation)
        self.assertRegex(errors.explain_error(caught.exception), f'{path}.*No space left')
        self.assertEmpty(os.listdir(disk))

    def test_disk_full_in_mnist_shift(self):
        try:
            faults = list(full_in_mnist_shift(self.folder, 2, random.Random(0)))
        except Skipped as reason:
            self.skipTest(str(reason))
        self.assertEqual(faults, [''] * 2)


if __name__ == '__main__':
    tf.test.main()
