"""A training that is killed or stopped goes on as if nothing had happened."""

import os
import pathlib
import random
import socket
import time

import pytest
import tensorflow as tf

from input_data import testing as records
from jobs import testing
from jobs.training.signals import StopSignals
from models import checkpoint

pytestmark = pytest.mark.slow

STEPS = 40
KILLS = int(os.environ.get('CAPSNET_TEST_KILLS', '2'))  # each costs a start of TensorFlow

WITHOUT_STDERR = """
import os, sys
os.close(2)
os.execv(sys.executable, [sys.executable, 'experiment.py', *sys.argv[1:]])
"""


class InterruptionTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        records.write_singles(self.directory, 'train_2', count=40)
        records.write_singles(self.directory, 'test_0', count=20)

    def start(self, run, program=testing.PROGRAM, **flags):
        defaults = dict(
            data_dir=self.directory,
            summary_dir=f'{self.directory}/{run}',
            hparams_override='num_prime_capsules=2',
            max_steps=STEPS,
            save_step=3,
            batch_size=8,
            seed=5,
        )
        process = testing.start(program, **{**defaults, **flags})
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

    def assert_stopped(self, run, reason, told):
        step = checkpoint.steps(f'{self.directory}/{run}/train')[-1]
        self.assertIn(f'Stopped by {reason} at step {step}; the same command goes on', told)
        finished = pathlib.Path(f'{self.directory}/{run}/train/finished.json')
        self.assertFalse(finished.exists())

    def test_stopped_by_a_signal(self):
        endless = dict(max_steps=100_000, save_step=10)
        processes = {number: self.start(number.name, **endless) for number in StopSignals.SIGNALS}
        for number, process in processes.items():
            self.wait_for_step(number.name, 10, process)
            process.send_signal(number)
        for number, process in processes.items():
            self.assert_stopped(number.name, number.name, self.finish(process))

    def test_stopped_by_a_closed_standard_output(self):
        endless = dict(max_steps=100_000, save_step=10)
        unbuffered = self.start('unbuffered', ('-u', *testing.PROGRAM), **endless)
        unbuffered.stdout.close()
        head = self.start('head', **endless)
        self.assertTrue(any(line.startswith('Checkpoint ') for line in head.stdout))
        head.stdout.close()
        for run, process in (('unbuffered', unbuffered), ('head', head)):
            errors = process.stderr.read()
            self.assertEqual(process.wait(240), 0, errors)
            self.assert_stopped(run, 'standard output (Broken pipe)', errors)
            self.assertNotIn('Traceback', errors)
            self.assertNotIn('Exception', errors)
        self.assertGreaterEqual(checkpoint.steps(f'{self.directory}/head/train')[-1], 10)

    def test_without_a_standard_error(self):
        closed = ('-c', WITHOUT_STDERR)
        told = self.finish(self.start('without', closed, max_steps=3))
        self.assertIn('model.ckpt-3', told)
        wrong = self.start('without', closed, max_steps='x')
        told, _ = wrong.communicate(timeout=60)
        self.assertEqual(wrong.returncode, 1)
        self.assertEqual(told, 'experiment: flag --max_steps=x: expected a whole number\n')

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
