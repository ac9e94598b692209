"""The list of runs, runs.toml, and where each one trains and is recorded."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from common.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = pathlib.Path(__file__).parent
RUNS = FOLDER / 'runs.toml'
SAVE_STEP = 2500  # a run that is killed loses at most so many steps


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """One training and its evaluation, as runs.toml gives it.

    Attributes:
      name: of its folder below `runs/` and its file below `results/measured/`.
      table, row: where it stands in README.md; runs of one row are averaged.
      data: the key of the data that it reads.
      flags: of experiment.py, for training and evaluation.
      steps, seed: of the training.
      test: flags of the evaluation that differ.
      paper, peer: the error in percent that the paper, or the best other implementation, gives.
      seconds: of one training step on two cores, an estimate.
    """

    name: str
    table: str
    row: str
    data: str
    flags: Mapping[str, str]
    steps: int
    seed: int
    seconds: float
    test: Mapping[str, str] = dataclasses.field(default_factory=dict)
    paper: float | None = None
    peer: float | None = None

    def train_flags(self, folder: pathlib.Path) -> list[str]:
        """Flags of experiment.py that train this run in its folder below `folder`."""
        return _as_flags(
            {
                'save_step': SAVE_STEP,
                **self.flags,
                'summary_dir': folder / self.name,
                'max_steps': self.steps,
                'seed': self.seed,
            }
        )

    def test_flags(self, folder: pathlib.Path) -> list[str]:
        """Flags of experiment.py that evaluate this run's last checkpoint on the test set."""
        run = folder / self.name
        return _as_flags(
            {
                **self.flags,
                **self.test,
                'train': 'false',
                'summary_dir': run,
                'checkpoint': run / 'train' / f'model.ckpt-{self.steps}',
            }
        )

    def read_measured(self, measured: pathlib.Path) -> dict[str, Any] | None:
        """What was measured of this run; None before it is evaluated."""
        path = measured / f'{self.name}.json'
        return json.loads(path.read_text('utf-8')) if path.exists() else None


@dataclasses.dataclass(frozen=True)
class Data:
    """Files that runs read: one of them, and the commands that make them."""

    holds: str
    made_by: tuple[str, ...]


def read_runs(path: pathlib.Path = RUNS) -> tuple[list[RunSpec], dict[str, Data]]:
    """The runs in the order in which they should be trained, and their data by key.

    Raises:
      UserError: if two runs have one name, or a run names data that are not listed.
    """
    content = tomllib.loads(path.read_text('utf-8'))
    runs = [RunSpec(**run) for run in content['run']]
    data = {key: Data(one['holds'], tuple(one['made_by'])) for key, one in content['data'].items()}
    names = [run.name for run in runs]
    for run in runs:
        if names.count(run.name) > 1:
            raise UserError(f'{path}: found {run.name} twice; expected a name for each run')
        if run.data not in data:
            raise UserError(f'{path}: {run.name}: found data {run.data}; expected one of {[*data]}')
    return runs, data


def _as_flags(values: Mapping[str, object]) -> list[str]:
    return [f'--{name}={value}' for name, value in values.items()]
