"""Options are looked at before anything is imported that takes time."""

import os
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

from common.errors import UserError
from jobs.options import RunOptions, list_options

START = """
import sys
sys.argv[0] = 'experiment.py'
import experiment
try:
    experiment.run()
finally:
    assert 'tensorflow' not in sys.modules
"""


def start(*arguments):
    root = pathlib.Path(__file__).parents[1]
    return subprocess.run(
        [sys.executable, '-c', START, *arguments], cwd=root, capture_output=True, check=False
    )


class OptionsTest(parameterized.TestCase):
    @parameterized.parameters(
        ([], b'--data_dir and --summary_dir are needed to train; see --help'),
        (['--data_dir=/nowhere', '--summary_dir=a'], b'--data_dir=/nowhere: no such directory'),
        (['--data_dir=.', '--summary_dir=a\udcff'], b'found bytes that are no UTF-8'),
        (['--data_dir=.', '--summary_dir=a[1]'], b'--summary_dir=a[1]: found [, with which'),
        (['--train=false', '--checkpoint=a\\b'], b'--checkpoint=a\\b: found \\, with which'),
        (['--train=false'], b'--data_dir is needed to evaluate; see --help'),
    )
    def test_faults_are_told_without_tensorflow(self, arguments, words):
        ended = start(*map(os.fsencode, arguments))
        self.assertEqual(ended.returncode, 1)
        self.assertIn(words, ended.stderr)
        self.assertLen(ended.stderr.splitlines(), 1)

    def test_options_of_the_release_are_marked(self):
        marked = [option.name for option in list_options() if '(release)' in option.help]
        self.assertLen(marked, 14)
        self.assertContainsSubset({'data_dir', 'validate', 'num_trials'}, marked)
        self.assertNotIn('given', [option.name for option in list_options()])

    def test_given_is_what_is_not_the_default_or_was_named(self):
        options = RunOptions(model='baseline', given=frozenset(['dataset']))
        given = [name for name in options.values() if options.is_given(name)]
        self.assertEqual(given, ['model', 'dataset'])
        run = {'flags': {'model': 'capsule', 'dataset': 'cifar10', 'num_targets': 2}}
        adopted = options.of_run(run)
        self.assertEqual((adopted.model, adopted.dataset), ('baseline', 'mnist'))
        self.assertEqual(adopted.num_targets, 2)

    def test_files_to_look_at_may_have_any_name(self):
        self.assertEqual(RunOptions(predict='a\udcff').predict, 'a\udcff')
        with self.assertRaisesRegex(UserError, '--export_dir=.*UTF-8'):
            RunOptions(export_dir='a\udcff')


if __name__ == '__main__':
    absltest.main()
