"""A training that is killed or stopped goes on as if nothing had happened."""

import os
import pathlib
import random
import signal
import socket
import time

import pytest
import tensorflow as tf

from input_data import testing as records
from jobs import testing
from models import checkpoint

pytestmark = pytest.mark.slow

STEPS = 40
KILLS = int(os.environ.get('CAPSNET_TEST_KILLS', '2'))  # each costs a start of TensorFlow


class InterruptionTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        records.write_singles(self.directory, 'train_2', count=40)
        records.write_singles(self.directory, 'test_0', count=20)

    def start(self, run, **flags):
        defaults = dict(
            data_dir=self.directory,
            summary_dir=f'{self.directory}/{run}',
            hparams_override='num_prime_capsules=2',
            max_steps=STEPS,
            save_step=3,
            batch_size=8,
            seed=5,
        )
        process = testing.start(**{**defaults, **flags})
        self.addCleanup(process.kill)
        return process

    def finish(self, process):
        output, errors = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, errors)
        return output

    def wait_for_step(self, run, step, process):
        testing.wait_for_step(f'{self.directory}/{run}', step, process)

    def assert_same_training(self, run, other):
        expected, actual = (
            testing.variables(f'{self.directory}/{name}', STEPS) for name in (run, other)
        )
        self.assertIsNone(testing.difference(expected, actual))

    def test_killed_at_random_moments(self):
        self.finish(self.start('whole'))
        rng = random.Random(0)
        for kill in range(KILLS):
            process = self.start('killed')
            self.wait_for_step('killed', (STEPS - 8) * (kill + 1) // (KILLS + 1), process)
            time.sleep(rng.uniform(0, 0.3))
            process.kill()
            process.wait()
        # The newest checkpoint may be cut by what killed the run: the one before it must do.
        newest = checkpoint.latest(f'{self.directory}/killed/train')
        data = pathlib.Path(f'{newest}.data-00000-of-00001')
        data.write_bytes(data.read_bytes()[:1000])
        # So may a checkpoint and a file that have no name yet: nobody will ever read them.
        run, writer = data.parents[1], f'{socket.gethostname()}-999999999'
        unfinished = [
            run / 'train' / 'model.ckpt-9.index.tempstate123',
            run / 'train' / f'.checkpoint.{writer}.partial',
            run / 'test' / 'figures' / f'.mistakes.png.{writer}.partial',
            run / f'.config.json.{writer}.partial',
        ]
        (run / 'test' / 'figures').mkdir(parents=True)
        for path in unfinished:
            path.write_bytes(b'cut')
        others = [run / 'notes.20240101.tmp', run / 'train' / 'model.ckpt-9.index.tempstate124']
        others[0].write_text('mine')
        others[1].mkdir()
        output = self.finish(self.start('killed'))
        self.assertIn(f'Passed over: checkpoint {newest}', output)
        self.assert_same_training('whole', 'killed')
        self.assertFalse(any(path.exists() for path in unfinished))
        self.assertTrue(all(path.exists() for path in others))
        self.assertFalse(list(run.glob('.*')))

    def test_stopped_by_a_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start(number.name, max_steps=100_000, save_step=10)
            self.wait_for_step(number.name, 10, process)
            process.send_signal(number)
            output = self.finish(process)
            self.assertIn(f'Stopped by {number.name} at step', output)
            step = checkpoint.steps(f'{self.directory}/{number.name}/train')[-1]
            self.assertIn(f'at step {step};', output)
            finished = pathlib.Path(f'{self.directory}/{number.name}/train/finished.json')
            self.assertFalse(finished.exists())

    def test_validation_job_beside_a_training(self):
        summary_dir = f'{self.directory}/followed'
        flags = dict(train=False, eval_interval_secs=0, eval_timeout_secs=60)
        follower = self.start('followed', **flags)
        training = self.start('followed', save_step=5, keep_checkpoints=2)
        self.finish(training)
        output = self.finish(follower)
        lines = pathlib.Path(f'{summary_dir}/test/results.jsonl').read_text().splitlines()
        self.assertIn(f'"step": {STEPS}', lines[-1])
        self.assertIn('Total wrong predictions: ', output.splitlines()[-1])
        self.assertTrue(pathlib.Path(f'{summary_dir}/test/best.json').exists())
        # The training's configuration is not overwritten by the evaluation's.
        self.assertIn('"job": "train"', pathlib.Path(f'{summary_dir}/config.json').read_text())


if __name__ == '__main__':
    tf.test.main()
