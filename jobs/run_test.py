"""What a run's folder says of it, and what is said of a config.json that is none."""

import dataclasses
import json
import pathlib

from absl.testing import absltest, parameterized

from common.errors import UserError
from input_data import DatasetInfo
from jobs.run import Run, make_config
from models import HParams
from models.hparams import HParamsError

INFO = DatasetInfo(28, 28, 1)
FLAGS = dict(model='capsule', dataset='mnist', num_targets=1, batch_size=8, seed=3)


def config(**changes):
    whole = make_config('train', FLAGS, dataclasses.asdict(HParams(routing=2)), 3, INFO)
    return {**json.loads(json.dumps(whole)), **changes}


class RunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.kept = Run(self.create_tempdir().full_path)

    def test_config_comes_back_and_is_read_once(self):
        self.assertIsNone(self.kept.config)
        Run(self.kept.folder).write_config(config())
        self.assertIsNone(self.kept.config)
        self.assertEqual(self.kept.read_config(), config())
        self.assertEqual(self.kept.training_config, config())

    @parameterized.parameters(
        (dict(seed=2**40), 'found seed=1099511627776; expected 0 to 4294967295'),
        (dict(flags=dict(dataset='other')), "found dataset='other'; expected mnist, "),
        (dict(flags=dict(dataset=['mnist'])), r"found dataset=\['mnist'\]; expected mnist, "),
        (dict(machine=3), 'found machine=3; expected the configuration of a run'),
        (dict(data=dict(height=0)), 'found height=0; expected 1 to 4096'),
    )
    def test_a_config_that_cannot_be(self, changes, message):
        Run(self.kept.folder).write_config(config(**changes))
        with self.assertRaisesRegex(UserError, f'^{self.kept.config_path}: {message}'):
            _ = self.kept.config

    def test_no_more_is_read_than_a_config_can_hold(self):
        with open(self.kept.config_path, 'wb') as file:
            file.truncate(1 << 40)  # of nothing, which takes no room on the disk
        with self.assertRaisesRegex(UserError, f'^{self.kept.config_path}: .* found more than'):
            _ = self.kept.config

    def test_an_editors_mark_of_utf_8_is_no_fault(self):
        text = json.dumps(config())
        pathlib.Path(self.kept.config_path).write_text(text, 'utf-8-sig')
        self.assertEqual(self.kept.config, json.loads(text))

    def test_hyper_parameters_blame_where_they_come_from(self):
        self.kept.write_config(config())
        self.assertEqual(self.kept.parse_hparams(None).routing, 2)
        self.assertEqual(self.kept.parse_hparams('routing=5,leaky=true').routing, 5)
        with self.assertRaisesRegex(HParamsError, '^--hparams_override: routing must'):
            self.kept.parse_hparams('routing=0')
        self.kept.write_config(config(hparams={'routing': 'x', 'new_in_later_versions': 1}))
        with self.assertRaisesRegex(UserError, f'^{self.kept.config_path}: routing must be'):
            self.kept.parse_hparams(None)

    def test_changes_are_listed(self):
        self.kept.write_config(config())
        self.assertEqual(self.kept.list_changes(config()), [])
        new = config(flags={**FLAGS, 'batch_size': 16, 'data_dir': '/b'}, machine={'threads': 1})
        lines = self.kept.list_changes(new)
        self.assertEqual(lines[0], 'Changed: --batch_size is 16, was 8')
        self.assertStartsWith(lines[1], 'Changed: threads is 1, was ')
        self.assertLen(lines, 2)

    def test_the_run_of_a_checkpoint(self):
        path = pathlib.Path(self.kept.train_dir, 'model.ckpt-3')
        self.assertEqual(Run.of_checkpoint(str(path)).config_path, self.kept.config_path)
        beside = pathlib.Path(self.kept.folder, 'model.ckpt-3')
        self.kept.write_config(config())
        self.assertEqual(Run.of_checkpoint(str(beside)).config_path, self.kept.config_path)


if __name__ == '__main__':
    absltest.main()
