"""An evaluation takes over what was trained, waits for what can come, and for nothing else."""

import builtins
import contextlib
import io
import os
import pathlib
import shutil
import time
from unittest import mock

import pytest
import tensorflow as tf
from absl.testing import parameterized

from common import lock
from common.errors import UserError
from input_data import testing
from jobs.evaluation import evaluate
from jobs.options import RunOptions
from jobs.run import Run
from jobs.testing import make_class_folder
from jobs.training import train
from models.checkpoint import MismatchError

pytestmark = pytest.mark.slow

TRAINED = 'num_prime_capsules=2,leaky=true,routing=2'


def evaluate_quietly(**options):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        evaluation = evaluate.run(RunOptions(train=False, eval_interval_secs=0, **options))
    return evaluation, printed.getvalue()


class FollowTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = make_class_folder(cls)
        testing.write_singles(cls.data, 'train_2')
        testing.write_singles(cls.data, 'test_0', count=25)
        testing.write_singles(cls.data, 'valid_test_0', count=15)
        cls.trained = f'{cls.data}/run'
        flags = dict(hparams_override=TRAINED, max_steps=4, save_step=2, batch_size=8, seed=5)
        with contextlib.redirect_stdout(io.StringIO()):
            train.run(RunOptions(data_dir=cls.data, summary_dir=cls.trained, **flags))

    def setUp(self):
        super().setUp()
        self.kept = Run(self.create_tempdir().full_path + '/run')
        shutil.copytree(self.trained, self.kept.folder)

    def evaluate(self, **options):
        return evaluate_quietly(data_dir=self.data, summary_dir=self.kept.folder, **options)

    def test_takes_over_what_was_trained_and_says_so(self):
        evaluation, printed = self.evaluate()
        told, _ = self.evaluate(hparams_override=TRAINED)
        self.assertAllEqual(evaluation.scores, told.scores)
        config = self.kept.config_path
        self.assertIn(f'As in the training ({config}): leaky=True num_prime_capsules=2', printed)
        self.assertNotIn('the training had', printed)

    def test_of_the_run_that_a_checkpoint_lies_in(self):
        path = f'{self.kept.train_dir}/model.ckpt-2'
        evaluation, printed = evaluate_quietly(data_dir=self.data, checkpoint=path)
        self.assertEqual(evaluation.num_examples, 25)
        self.assertIn('num_prime_capsules=2', printed)

    def test_a_flag_wins_and_the_difference_is_told(self):
        three, printed = self.evaluate(hparams_override='routing=3')
        self.assertIn('--hparams_override=routing=3: the training had 2', printed)
        two, _ = self.evaluate()
        self.assertNotAllClose(three.scores, two.scores)
        options = RunOptions(train=False, given=frozenset(['dataset']))
        _, printed = self.evaluate(given=options.given, dataset='mnist')
        self.assertNotIn('the training had', printed)

    def test_what_cannot_fit_is_refused_at_once(self):
        pathlib.Path(self.kept.finished_path).unlink()
        started = time.monotonic()
        with self.assertRaisesRegex(MismatchError, 'conv_capsule1'):
            self.evaluate(hparams_override='num_prime_capsules=3')
        with self.assertRaisesRegex(MismatchError, 'conv1/weights has shape'):
            self.evaluate(model='baseline')
        self.assertLess(time.monotonic() - started, 600)  # far from --eval_timeout_secs

    @parameterized.parameters(True, False)
    def test_after_a_training_was_stopped_or_killed(self, killed):
        pathlib.Path(self.kept.finished_path).unlink()
        if killed:  # which leaves its lock, held by nobody
            for name in (lock.LOCK, lock.HOLDER):
                pathlib.Path(self.kept.folder, name).write_text('{}')
        evaluation, printed = self.evaluate()
        self.assertEqual(evaluation.num_examples, 25)
        self.assertNotIn('Waiting', printed)

    def test_a_damaged_newest_checkpoint_is_passed_over(self):
        pathlib.Path(self.kept.finished_path).unlink()
        data = pathlib.Path(self.kept.train_dir, 'model.ckpt-4.data-00000-of-00001')
        data.write_bytes(data.read_bytes()[:1000])
        _, printed = self.evaluate()
        self.assertIn('Skipped: checkpoint', printed)
        self.assertIn('train/model.ckpt-2: ', printed)
        self.assertNotIn('Waiting', printed)

    def test_a_misnamed_checkpoint_is_passed_over(self):
        folder = pathlib.Path(self.kept.train_dir)
        for path in folder.glob('model.ckpt-4.*'):
            shutil.copy(path, folder / path.name.replace('-4.', '-9.'))
        _, printed = self.evaluate()
        self.assertIn('model.ckpt-9: found global_step 4; expected 9', printed)
        self.assertIn('train/model.ckpt-4: ', printed)
        given, printed = self.evaluate(checkpoint=f'{folder}/model.ckpt-9')
        self.assertEqual(given.num_examples, 25)
        self.assertIn('model.ckpt-9: its name says another step than its global_step, 4', printed)

    def test_waits_while_a_training_lives_and_says_how_long_it_waited(self):
        for path in pathlib.Path(self.kept.train_dir).glob('*'):
            path.unlink()
        with (
            lock.hold_folder('the run', self.kept.folder),
            self.assertRaisesRegex(UserError, r'within 3 s \(--eval_timeout_secs\)'),
        ):
            self.evaluate(eval_timeout_secs=3)
        with self.assertRaisesRegex(UserError, r'within 0 s \(no training runs there\)'):
            self.evaluate(eval_timeout_secs=3)

    @parameterized.parameters((True, ['2', '4']), (False, ['2']))
    def test_a_training_that_is_stopped_and_started_again(self, validate, evaluated):
        folder = pathlib.Path(self.kept.train_dir)
        away = self.create_tempdir().full_path
        for path in [*folder.glob('model.ckpt-4.*'), pathlib.Path(self.kept.finished_path)]:
            shutil.move(path, away)
        lines = []

        def go_on(line, **_):
            lines.append(line)
            if 'model.ckpt-2: ' in line:
                training.close()
            if 'Waiting for a new checkpoint' in line:
                for path in sorted(pathlib.Path(away).glob('*'), reverse=True):
                    shutil.move(path, folder)

        options = RunOptions(
            data_dir=self.data,
            summary_dir=self.kept.folder,
            train=False,
            validate=validate,
            eval_interval_secs=2,
        )
        with contextlib.ExitStack() as training, mock.patch.object(builtins, 'print', go_on):
            training.enter_context(lock.hold_folder('the run', self.kept.folder))
            evaluate.run(options)
        found = [line for line in lines if ' wrong (' in line]
        self.assertEqual([line.partition('ckpt-')[2][0] for line in found], evaluated)

    def test_a_training_that_comes_later_says_what_it_is(self):
        later = Run(f'{self.kept.folder}_later')

        def start_training(line, **_):
            lines.append(line)
            if 'Waiting for a new checkpoint' in line:
                os.rename(self.kept.folder, later.folder)

        lines = []
        with mock.patch.object(builtins, 'print', start_training):
            evaluation = evaluate.run(
                RunOptions(data_dir=self.data, summary_dir=later.folder, train=False)
            )
        printed = '\n'.join(lines)
        self.assertEqual(evaluation.num_examples, 25)
        self.assertIn('Waiting for a new checkpoint', printed)
        self.assertIn('leaky=True', printed)
        self.assertIn('_later/train/model.ckpt-4: ', printed)


if __name__ == '__main__':
    tf.test.main()
