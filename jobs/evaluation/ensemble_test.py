"""Ensembles: sums of scores, missing members, trials."""

import contextlib
import io
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from common.errors import UserError
from input_data import testing
from jobs.evaluation import evaluate
from jobs.options import RunOptions
from jobs.testing import make_class_folder
from jobs.training import train
from models.checkpoint import CheckpointError

pytestmark = pytest.mark.slow

MEMBERS = 3


class EnsembleTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = make_class_folder(cls)
        testing.write_singles(cls.directory, 'train_2')
        testing.write_singles(cls.directory, 'test_0', count=25)
        testing.write_pairs(f'{cls.directory}/multitest_4shifted_mnist.tfrecords', 25)
        for trial in range(MEMBERS):
            with contextlib.redirect_stdout(io.StringIO()):
                train.run(cls.options(trial=trial, max_steps=1 + trial, batch_size=8).of_trial())

    @classmethod
    def options(cls, **overrides):
        defaults = dict(
            data_dir=cls.directory,
            summary_dir=f'{cls.directory}/member{{}}',
            hparams_override='num_prime_capsules=2,remake=false',
        )
        return RunOptions(**{**defaults, **overrides})

    def evaluate(self, **overrides):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            options = self.options(train=False, summary_dir=None, **overrides)
            evaluation = evaluate.run(options)
        return evaluation, printed.getvalue()

    def checkpoints(self):
        for trial in range(MEMBERS):
            folder = pathlib.Path(self.directory, f'member{trial}', 'train')
            for path in folder.glob(f'model.ckpt-{1 + trial}.*'):
                target = pathlib.Path(
                    self.directory, f'all{trial}', path.name.replace(f'ckpt-{1 + trial}', 'ckpt-0')
                )
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(path.read_bytes())
        return f'{self.directory}/all{{}}/model.ckpt-0'

    def test_trials_have_directories_and_seeds_of_their_own(self):
        options = self.options(trial=2, seed=10).of_trial()
        self.assertEqual(options.summary_dir, f'{self.directory}/member2')
        self.assertEqual(options.seed, 12)
        with self.assertRaisesRegex(UserError, '--trial=1 needs a --summary_dir with {}'):
            self.options(trial=1, summary_dir='same').of_trial()
        with self.assertRaisesRegex(UserError, 'is filled by --trial; none is given'):
            self.options().of_trial()

    def test_scores_are_summed(self):
        pattern = self.checkpoints()
        predictions = f'{self.directory}/ensemble.npz'
        for num_targets in (1, 2):
            common = dict(num_targets=num_targets)
            whole, printed = self.evaluate(
                checkpoint=pattern, num_trials=MEMBERS, predictions=predictions, **common
            )
            members = [
                self.evaluate(checkpoint=pattern.replace('{}', str(trial)), **common)[0]
                for trial in range(MEMBERS)
            ]
            total = sum(member.scores for member in members)
            self.assertAllClose(whole.scores, total)
            top = np.argsort(-whole.scores, axis=1)[:, :num_targets]
            wrong = np.any(np.sort(top) != np.sort(whole.labels), axis=1).sum()
            self.assertEqual(whole.num_wrong, wrong)
            self.assertEqual(printed.splitlines()[-1], whole.line())
            for trial, member in enumerate(members):
                self.assertIn(f'Member {trial}: {member.num_wrong} of 25 wrong', printed)
            self.assertAllEqual(np.load(predictions)['scores'], whole.scores)

    def test_missing_member_is_named_before_anything_is_computed(self):
        pattern = self.checkpoints()
        with self.assertRaisesRegex(CheckpointError, f'all{MEMBERS}/model.ckpt-0'):
            self.evaluate(checkpoint=pattern, num_trials=MEMBERS + 1)

    def test_patterns_are_formatted(self):
        for pattern in ('cifar{}/model.ckpt-7', 'cifar{0}/model.ckpt-7'):
            options = self.options(checkpoint=pattern)
            self.assertEqual(options.checkpoint_of(11), 'cifar11/model.ckpt-7')
        options = self.options(checkpoint='cifar{:02d}/{{a}}')
        self.assertEqual(options.checkpoint_of(3), 'cifar03/{a}')

    @parameterized.parameters('a{', 'a}', 'a{name}', 'a{1}', 'a{:s}', 'a{0.x}')
    def test_bad_pattern_is_named(self, pattern):
        options = self.options(train=False, checkpoint=pattern, num_trials=2)
        found = re.escape(f'--checkpoint={pattern}: found ')
        expected = re.escape('; expected {}, {0} or {:02d} for the number of the trial')
        with self.assertRaisesRegex(UserError, f'{found}.*{expected}'):
            options.check()

    def test_pattern_is_needed(self):
        with self.assertRaisesRegex(UserError, r'--num_trials=2 needs a --checkpoint with \{\}'):
            self.options(train=False, checkpoint='model.ckpt-0', num_trials=2).check()


if __name__ == '__main__':
    tf.test.main()
