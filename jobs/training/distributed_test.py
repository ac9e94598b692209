"""Several devices and several processes train as one does; checkpoints go between them."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from input_data import testing as records
from jobs import testing

pytestmark = pytest.mark.slow

TWO_DEVICES = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.argv[0] = 'experiment.py'
import experiment
experiment.run()
"""
STEPS = 3
TOLERANCE = 1e-3  # of a variable's norm, float rounding of three Adam steps


class DistributedTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        records.write_singles(self.directory, 'train_2', count=40)
        self.flags = dict(
            data_dir=self.directory,
            hparams_override='num_prime_capsules=2',
            max_steps=STEPS,
            batch_size=8,
            seed=5,
        )

    def start(self, run, program=testing.PROGRAM, **flags):
        flags = {**self.flags, 'summary_dir': f'{self.directory}/{run}', **flags}
        process = testing.start(program, **flags)
        self.addCleanup(process.kill)
        return process

    def cluster(self, run, **flags):
        directories = [f'{self.directory}/{run}', f'{self.directory}/{run}_worker']
        processes = testing.start_cluster(directories, **{**self.flags, **flags})
        for process in processes:
            self.addCleanup(process.kill)
        return processes

    def finish(self, *processes):
        outputs = [process.communicate(timeout=240) for process in processes]
        for process, (_, errors) in zip(processes, outputs, strict=True):
            self.assertEqual(process.returncode, 0, errors)
        return [output for output, _ in outputs]

    def assert_same_training(self, run, other):
        expected, actual = (
            testing.variables(f'{self.directory}/{name}', STEPS) for name in (run, other)
        )
        self.assertEqual(expected.keys(), actual.keys())
        for name, value in expected.items():
            difference = np.linalg.norm(value - actual[name])
            self.assertLessEqual(difference, TOLERANCE * np.linalg.norm(value), name)

    def test_one_device_two_devices_and_two_processes_agree(self):
        self.finish(self.start('one'))
        self.finish(self.start('devices', ('-c', TWO_DEVICES), num_gpus=2))
        self.assert_same_training('one', 'devices')
        outputs = self.finish(*self.cluster('processes'))
        self.assert_same_training('one', 'processes')
        self.assertIn('Total number of parameters', outputs[0])
        # The chief alone writes: the other worker had a directory of its own to write to.
        self.assertFalse(pathlib.Path(f'{self.directory}/processes_worker').exists())

    def test_a_cluster_goes_on_from_its_chiefs_checkpoint(self):
        self.finish(self.start('whole'))
        self.finish(self.start('resumed', max_steps=2))
        outputs = self.finish(*self.cluster('resumed'))
        self.assertIn('model.ckpt-2', outputs[0])
        self.assert_same_training('whole', 'resumed')

    def test_uneven_split_is_refused(self):
        process = self.start('uneven', ('-c', TWO_DEVICES), num_gpus=2, batch_size=7)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1)
        self.assertIn('--batch_size=7 does not split over 2 devices', errors)


if __name__ == '__main__':
    tf.test.main()
