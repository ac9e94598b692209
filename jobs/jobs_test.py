"""Training and evaluation from files to files."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import time
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from common.errors import UserError
from common.lock import hold_folder
from input_data import DataError, testing
from jobs import devices
from jobs.evaluation import evaluate
from jobs.options import RunOptions
from jobs.training import chance, train
from models import checkpoint

SMALL = 'num_prime_capsules=2'


def run_quietly(job, options):
    """Runs a job and returns (its result, what it printed)."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = job(options)
    return result, printed.getvalue()


def variables_of(path):
    reader = tf.train.load_checkpoint(path)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


class JobsTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        self.data = f'{self.directory}/data'
        pathlib.Path(self.data).mkdir()
        testing.write_singles(self.data, 'train_2')
        testing.write_singles(self.data, 'test_0', count=25)

    def options(self, run='run', **overrides):
        defaults = dict(
            data_dir=self.data,
            summary_dir=f'{self.directory}/{run}',
            hparams_override=SMALL,
            max_steps=4,
            batch_size=8,
            eval_batch_size=10,
            save_step=2,
            seed=5,
            eval_interval_secs=0,
            eval_timeout_secs=0,
        )
        return RunOptions(**{**defaults, **overrides})

    def test_trains_and_writes_its_run(self):
        step, printed = run_quietly(train.run, self.options())
        self.assertEqual(step, 4)
        self.assertIn('Total number of parameters: ', printed)
        self.assertStartsWith(printed, 'Forecast: 8 primary and 10 class capsules, ')
        self.assertRegex(printed, r'step 4/4: .* images/s, \S+ s a step, 00:00 left')
        self.assertEqual(checkpoint.steps(f'{self.directory}/run/train'), [2, 4])
        config = json.loads(pathlib.Path(f'{self.directory}/run/config.json').read_text())
        self.assertEqual(config['seed'], 5)
        self.assertEqual(config['hparams']['num_prime_capsules'], 2)
        self.assertEqual(config['flags']['batch_size'], 8)
        self.assertEqual(config['versions']['tensorflow'], tf.__version__)
        tags = set()
        for path in pathlib.Path(f'{self.directory}/run/train').glob('events*'):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                tags.update(value.tag for value in event.summary.value)
        self.assertContainsSubset({'loss/total', 'accuracy', 'learning_rate'}, tags)

    def test_resumes_bit_for_bit(self):
        run_quietly(train.run, self.options('whole'))
        run_quietly(train.run, self.options('halves', max_steps=3))
        _, printed = run_quietly(train.run, self.options('halves', seed=None))
        self.assertIn('model.ckpt-3', printed)
        whole = variables_of(f'{self.directory}/whole/train/model.ckpt-4')
        halves = variables_of(f'{self.directory}/halves/train/model.ckpt-4')
        self.assertEqual(whole.keys(), halves.keys())
        for name, value in whole.items():
            np.testing.assert_array_equal(value, halves[name], err_msg=name)

    def test_seed_decides(self):
        first = self.options('first', max_steps=1)
        run_quietly(train.run, first)
        run_quietly(train.run, self.options('second', max_steps=1, seed=6))
        one = variables_of(f'{self.directory}/first/train/model.ckpt-1')
        two = variables_of(f'{self.directory}/second/train/model.ckpt-1')
        self.assertNotAllClose(one['conv1/weights'], two['conv1/weights'])

    def test_evaluates_every_example_once(self):
        run_quietly(train.run, self.options(max_steps=1))
        predictions = f'{self.directory}/out/predictions.npz'
        options = self.options(train=False, predictions=predictions)
        evaluation, printed = run_quietly(evaluate.run, options)
        written = np.load(predictions, allow_pickle=False)
        self.assertEqual(written['scores'].shape, (25, 10))
        self.assertEqual(written['scores'].dtype, np.float32)
        self.assertAllEqual(written['labels'][:, 0], np.arange(25) % 10)
        self.assertAllEqual(written['predictions'][:, 0], written['scores'].argmax(axis=1))
        wrong = int((written['predictions'] != written['labels']).sum())
        self.assertEqual(evaluation.num_wrong, wrong)
        expected = f'Total wrong predictions: {wrong}, wrong percent: {100 * wrong / 25:g}%'
        self.assertEqual(printed.splitlines()[-1], expected)

    @parameterized.parameters(True, False)
    def test_tf32(self, tf32):
        self.addCleanup(tf.config.experimental.enable_tensor_float_32_execution, True)
        run_quietly(train.run, self.options(max_steps=1, tf32=tf32))
        self.assertEqual(tf.config.experimental.tensor_float_32_execution_enabled(), tf32)

    def test_eval_size_limits(self):
        run_quietly(train.run, self.options(max_steps=1))
        evaluation, _ = run_quietly(evaluate.run, self.options(train=False, eval_size=13))
        self.assertEqual(evaluation.num_examples, 13)

    @parameterized.parameters(False, True)
    def test_learns(self, mixed_precision):
        self.addCleanup(keras.config.set_dtype_policy, 'float32')
        flags = dict(hparams_override='num_prime_capsules=4', mixed_precision=mixed_precision)
        run_quietly(train.run, self.options(max_steps=60, save_step=100, **flags))
        evaluation, _ = run_quietly(evaluate.run, self.options(train=False, **flags))
        self.assertLess(evaluation.wrong_percent, 10)

    @parameterized.parameters(
        (dict(data_dir=None), UserError, '--data_dir is needed'),
        (dict(summary_dir=None), UserError, '--summary_dir is needed'),
        (dict(data_dir='/nowhere'), UserError, '--data_dir=/nowhere'),
        (dict(num_gpus=9), UserError, '--num_gpus=9: found 0 GPUs'),
        (dict(dataset='imagenet'), DataError, "unknown data set 'imagenet'"),
    )
    def test_training_refuses(self, overrides, error, message):
        with self.assertRaisesRegex(error, message):
            options = self.options(**overrides)
            options.check()
            run_quietly(train.run, options)
        self.assertFalse(pathlib.Path(f'{self.directory}/run').exists())

    def test_says_once_that_nothing_is_learned(self):
        hparams = f'{SMALL},learning_rate=0.000001'
        with mock.patch.multiple(chance, LAST_STEP=4, WINDOW=2):
            _, first = run_quietly(train.run, self.options(hparams_override=hparams))
            _, resumed = run_quietly(train.run, self.options(hparams_override=hparams, max_steps=6))
        self.assertRegex(first, 'Nothing learned by step 4: accuracy is .* loss_type .margin.;')
        self.assertNotIn('Nothing learned', resumed)

    def test_a_network_beyond_the_memory_is_not_built(self):
        with (
            mock.patch.object(devices, 'find_memory', return_value=10**6),
            mock.patch.object(train, 'build_model', side_effect=AssertionError),
            self.assertRaisesRegex(UserError, 'found 0.00 GB of memory, expected .* to train 8 '),
        ):
            run_quietly(train.run, self.options())
        self.assertFalse(pathlib.Path(f'{self.directory}/run/config.json').exists())

    @parameterized.parameters(
        (dict(model='baseline'), '--model=capsule .* --model=baseline'),
        (dict(hparams_override='num_prime_capsules=3'), 'num_prime_capsules=2 .*=3'),
    )
    def test_resuming_as_another_training_is_refused(self, overrides, message):
        run_quietly(train.run, self.options(max_steps=1))
        before = {p: p.read_bytes() for p in pathlib.Path(self.directory).rglob('model.ckpt*')}
        with self.assertRaisesRegex(UserError, message):
            run_quietly(train.run, self.options(**overrides))
        self.assertEqual(before, {path: path.read_bytes() for path in before})

    def test_loss_that_is_not_finite_stops_the_run(self):
        run_quietly(train.run, self.options(max_steps=1))
        diverging = f'{SMALL},learning_rate=1e30,decay_rate=1.0'
        options = self.options(hparams_override=diverging, save_step=100)
        with self.assertRaisesRegex(UserError, 'not finite'):
            run_quietly(train.run, options)
        self.assertEqual(checkpoint.steps(f'{self.directory}/run/train'), [1])

    @pytest.mark.slow
    def test_following_waits_without_spinning(self):
        run_quietly(train.run, self.options(max_steps=1))
        options = self.options(train=False, eval_timeout_secs=4)
        pathlib.Path(options.run.finished_path).unlink()
        used, started = time.process_time(), time.monotonic()
        with hold_folder('the run', options.run.folder):
            evaluation, printed = run_quietly(evaluate.run, options)
        self.assertEqual(evaluation.num_examples, 25)
        self.assertEqual(printed.count('Waiting for a new checkpoint'), 1)
        self.assertGreaterEqual(time.monotonic() - started, 4)
        idle = (time.monotonic() - started) - (time.process_time() - used)
        self.assertGreater(idle, 2)

    @pytest.mark.slow
    def test_following_looks_at_the_checkpoints_themselves(self):
        run_quietly(train.run, self.options())
        state = pathlib.Path(f'{self.directory}/run/train/checkpoint')
        for content in (b'\xff\0 no text', b'model_checkpoint_path: "../../model.ckpt-9"'):
            state.write_bytes(content)
            evaluation, printed = run_quietly(evaluate.run, self.options(train=False))
            self.assertEqual(evaluation.num_examples, 25)
            self.assertIn('run/train/model.ckpt-4: ', printed)
            self.assertNotIn('Waiting', printed)
            self.assertEqual(state.read_bytes(), content)

    def test_names_in_a_checkpoint_are_not_obeyed_by_a_terminal(self):
        run_quietly(train.run, self.options(max_steps=1))
        path = f'{self.directory}/run/train/model.ckpt-9'
        tf.raw_ops.SaveV2(
            prefix=path, tensor_names=['\x1b[2J'], shape_and_slices=[''], tensors=['no number']
        )
        _, skipped = run_quietly(evaluate.run, self.options(train=False))
        _, passed_over = run_quietly(train.run, self.options(max_steps=2))
        for printed, told in ((skipped, 'Skipped'), (passed_over, 'Passed over')):
            self.assertRegex(printed, rf'{told}: checkpoint {path}.* found no tensor of numbers\n')
            self.assertNotIn('\x1b', printed)

    def test_a_resume_says_what_has_changed(self):
        run_quietly(train.run, self.options(max_steps=1))
        flags = dict(batch_size=4, seed=6, hparams_override=f'{SMALL},routing=2')
        changed = self.options(max_steps=2, **flags)
        config = changed.run.config
        config['versions']['tensorflow'], config['machine']['threads'] = '2.0', 99
        changed.run.write_config(config)
        testing.write_singles(self.data, 'train_2', count=30)
        _, printed = run_quietly(train.run, changed)
        lines = [line for line in printed.splitlines() if line.startswith('Changed: ')]
        for line in (
            'Changed: --batch_size is 4, was 8',
            'Changed: --seed is 6, was 5',
            'Changed: routing is 2, was 3',
            f'Changed: tensorflow is {tf.__version__}, was 2.0',
        ):
            self.assertIn(line, lines)
        self.assertRegex(printed, r'Changed: num_examples is 30, was \d+\n')
        self.assertRegex(printed, r'Changed: threads is \d+, was 99\n')
        self.assertLen(lines, 6)
        self.assertNotIn('Changed', run_quietly(train.run, self.options(max_steps=3, **flags))[1])

    def test_no_steps_leave_the_initial_checkpoint(self):
        step, _ = run_quietly(train.run, self.options(max_steps=0))
        self.assertEqual(step, 0)
        self.assertEqual(checkpoint.steps(self.options().run.train_dir), [0])

    def test_a_misnamed_checkpoint_is_told_of_and_not_gone_on_from(self):
        options = self.options(max_steps=2)
        run_quietly(train.run, options)
        folder = pathlib.Path(options.run.train_dir)
        for path in folder.glob('model.ckpt-2.*'):
            shutil.copy(path, folder / path.name.replace('-2.', '-9.'))
        step, printed = run_quietly(train.run, self.options(max_steps=4))
        self.assertEqual(step, 4)
        self.assertIn('model.ckpt-9: found global_step 2; expected 9', printed)
        self.assertIn(f'Resuming from {folder}/model.ckpt-2', printed)
        self.assertEqual(checkpoint.steps(str(folder)), [2, 4, 9])
        for path in [*folder.glob('model.ckpt-2.*'), *folder.glob('model.ckpt-4.*')]:
            path.unlink()
        with self.assertRaisesRegex(UserError, 'model.ckpt-9: found global_step 2'):
            run_quietly(train.run, self.options(max_steps=5))

    def test_two_trainings_of_one_run(self):
        options = self.options(max_steps=1)
        with (
            hold_folder('the run', options.run.folder),
            self.assertRaisesRegex(UserError, f'--summary_dir=.*process {os.getpid()} on .* since'),
        ):
            run_quietly(train.run, options)
        self.assertEqual(checkpoint.steps(options.run.train_dir), [])

    def test_evaluation_without_a_checkpoint(self):
        with self.assertRaisesRegex(
            UserError, 'no checkpoint that can be read appeared in .*run/train'
        ):
            run_quietly(evaluate.run, self.options(train=False))


if __name__ == '__main__':
    tf.test.main()
