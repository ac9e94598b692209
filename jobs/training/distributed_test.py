"""Several devices and several processes train as one does; checkpoints go between them."""

import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from common.errors import UserError
from input_data import testing as records
from jobs import guard, peers, testing
from jobs.cluster import Cluster

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


class DistributedTest(tf.test.TestCase, parameterized.TestCase):
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

    @parameterized.parameters(False, True)
    def test_waits_for_a_worker_until_told_to_stop(self, foreign):
        """Nobody listens at the other's port, or somebody who is no worker of ours."""
        statuses = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 1, None: 1}
        waiting = {}
        for number in statuses:
            with socket.create_server(('127.0.0.1', 0)) as listener:
                absent = f'127.0.0.1:{listener.getsockname()[1]}'
                if foreign:
                    self.enter_context(listener.dup())
            seconds = 600 if number else 10
            waiting[number] = absent, self.start_worker(absent, seconds, index=int(foreign))
        for number, (absent, process) in waiting.items():
            self.assertStartsWith(process.stdout.readline(), f'waiting for {absent}, within ')
            if number:
                process.send_signal(number)
        told = {signal.SIGTERM: '', signal.SIGINT: 'experiment: interrupted\n'}
        for number, (absent, process) in waiting.items():
            _, errors = process.communicate(timeout=20)
            self.assertEqual(process.returncode, statuses[number], errors)
            absence = guard.describe_absence([absent], ' within 10 s (--cluster_timeout_secs)')
            self.assertEqual(errors, told.get(number, f'experiment: {absence}\n'))

    def test_a_chief_that_hangs_in_connecting_is_ended(self):
        """Three of them: Ctrl-C, a worker that goes, one that answers but never connects."""
        others = [socket.create_server(('127.0.0.1', 0)) for _ in range(3)]
        addresses = [f'127.0.0.1:{other.getsockname()[1]}' for other in others]
        chiefs = [
            self.start_worker(address, seconds)
            for address, seconds in zip(addresses, (600, 600, 8), strict=True)
        ]
        for chief in chiefs:
            while not guard.serves(chief.address):
                self.assertIsNone(chief.poll())
        chiefs[0].send_signal(signal.SIGINT)
        others[1].close()
        ended = [chief.communicate(timeout=30)[1] for chief in chiefs]
        self.assertEqual(chiefs[0].returncode, -signal.SIGINT)
        self.assertEqual(ended[1], f'experiment: {guard.describe_absence(addresses[1:2])}\n')
        limit = ' within 8 s (--cluster_timeout_secs)'
        self.assertEqual(ended[2], f'experiment: {guard.describe_absence(addresses[2:], limit)}\n')

    def test_a_guard_ends_though_its_process_went_before_it_had_started(self):
        gone = subprocess.Popen([sys.executable, '-c', ''])
        gone.wait()
        command = [sys.executable, guard.__file__, str(gone.pid), '600', '', '127.0.0.1:1']
        self.assertEqual(subprocess.run(command, timeout=30, check=False).returncode, 0)

    def start_worker(self, other, cluster_timeout_secs, index=0):
        """Starts one of two workers, the other one of which is not there."""
        workers, address = [other], f'127.0.0.1:{testing.free_port()}'
        workers.insert(index, address)
        cluster = {'cluster': {'worker': workers}, 'task': {'type': 'worker', 'index': index}}
        process = self.start('alone', cluster=cluster, cluster_timeout_secs=cluster_timeout_secs)
        process.address = address
        return process

    def test_a_port_that_is_taken(self):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            address = f'127.0.0.1:{taken.getsockname()[1]}'
            cluster = Cluster([address, '127.0.0.1:1'], 0)
            found = f'found {address} for this worker, Address already in use'
            with self.assertRaisesRegex(UserError, found):
                peers.join_cluster(cluster, 600, self.fail)

    def test_uneven_split_is_refused(self):
        process = self.start('uneven', ('-c', TWO_DEVICES), num_gpus=2, batch_size=7)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1)
        self.assertIn('--batch_size=7 does not split over 2 devices', errors)


if __name__ == '__main__':
    tf.test.main()
