"""Several devices and several processes train as one does; checkpoints go between them."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import tensorflow as tf

from input_data import testing

ROOT = pathlib.Path(__file__).parents[1]
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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


class DistributedTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        testing.write_singles(self.directory, 'train_2', count=40)

    def start(self, run, program=('experiment.py',), config=None, **flags):
        defaults = dict(
            data_dir=self.directory,
            summary_dir=f'{self.directory}/{run}',
            hparams_override='num_prime_capsules=2',
            max_steps=STEPS,
            batch_size=8,
            seed=5,
        )
        arguments = [f'--{name}={value}' for name, value in {**defaults, **flags}.items()]
        environment = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '2', 'CUDA_VISIBLE_DEVICES': '-1'}
        if config:
            environment['TF_CONFIG'] = json.dumps(config)
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(process.kill)
        return process

    def finish(self, *processes):
        outputs = [process.communicate(timeout=240)[0] for process in processes]
        for process, output in zip(processes, outputs, strict=True):
            self.assertEqual(process.returncode, 0, output)
        return outputs

    def cluster(self, run, **flags):
        workers = [f'127.0.0.1:{free_port()}' for _ in range(2)]
        return [
            self.start(
                run if index == 0 else f'{run}_worker',
                config={
                    'cluster': {'worker': workers},
                    'task': {'type': 'worker', 'index': index},
                },
                **flags,
            )
            for index in range(2)
        ]

    def variables(self, run, step=STEPS):
        reader = tf.train.load_checkpoint(f'{self.directory}/{run}/train/model.ckpt-{step}')
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}

    def assert_same_training(self, run, other):
        expected, actual = self.variables(run), self.variables(other)
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
        output = process.communicate(timeout=120)[0]
        self.assertEqual(process.returncode, 1)
        self.assertIn('--batch_size=7 does not split over 2 devices', output)


if __name__ == '__main__':
    tf.test.main()
