"""The options of a run; one field for each flag of experiment.py, with its name and default."""

import dataclasses
import os

from common.errors import UserError
from input_data import Batching, InputRequest


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """See experiment.py for what each option means."""

    data_dir: str | None = None
    eval_size: int | None = None
    hparams_override: str | None = None
    max_steps: int = 1000
    model: str = 'capsule'
    dataset: str = 'mnist'
    num_gpus: int = 1
    num_targets: int = 1
    num_trials: int = 1
    save_step: int = 1500
    summary_dir: str | None = None
    checkpoint: str | None = None
    train: bool = True
    validate: bool = False
    batch_size: int = 128
    eval_batch_size: int = 100
    seed: int | None = None
    predictions: str | None = None
    figures: bool = False
    report: bool = False
    predict: str | None = None
    json: bool = False
    export_dir: str | None = None
    summary_step: int = 10
    keep_checkpoints: int = 1000
    eval_interval_secs: int = 60
    eval_timeout_secs: int = 21600
    trial: int | None = None
    mixed_precision: bool = False
    gpu_memory_limit_mb: int = 0
    debug: bool = False

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and '\0' in value:
                raise UserError(f'--{field.name}={value!r}: found a NUL character; expected none')

    def of_trial(self) -> 'RunOptions':
        """These options for one member of an ensemble: its own directory and seed.

        Raises:
          UserError: if only one of `trial` and a {} in `summary_dir` is there.
        """
        summary_dir = self.summary_dir or ''
        if self.trial is None and '{}' in summary_dir:
            raise UserError(
                f'--summary_dir={summary_dir}: {{}} is filled by --trial; none is given'
            )
        if self.trial is None:
            return self
        if '{}' not in summary_dir:
            raise UserError(
                f'--trial={self.trial} needs a --summary_dir with {{}}, found {summary_dir!r}: '
                'trials must not share a directory'
            )
        return dataclasses.replace(
            self,
            summary_dir=summary_dir.replace('{}', str(self.trial)),
            seed=(self.seed or 0) + self.trial,
        )

    def check_companions(self) -> None:
        """Refuses flags of ours that the job at hand would pass over.

        Raises:
          UserError: naming the first.
        """
        if self.predict is not None and self.export_dir is not None:
            raise UserError('--predict and --export_dir are two jobs: found both, expected one')
        if self.json and self.predict is None:
            raise UserError('--json: found no --predict; expected image files to look at')
        job = 'training' if self.train else 'evaluation'
        job = '--export_dir' if self.export_dir is not None else job
        job = '--predict' if self.predict is not None else job
        for name in ('figures', 'report', 'predictions'):
            if getattr(self, name) and job != 'evaluation':
                raise UserError(f'--{name}: found {job}; expected an evaluation (--train=false)')

    @property
    def train_dir(self) -> str:
        """Where training writes checkpoints and event files."""
        return os.path.join(self.summary_dir, 'train')

    @property
    def test_dir(self) -> str:
        """Where evaluation writes event files."""
        return os.path.join(self.summary_dir, 'test')

    def request(self, split: str, batching: Batching | None = None) -> InputRequest:
        """What to ask of the data set."""
        return InputRequest(
            data_dir=self.data_dir,
            split=split,
            num_targets=self.num_targets,
            validate=self.validate,
            batching=batching or Batching(self.batch_size),
            eval_batch_size=self.eval_batch_size,
            eval_size=self.eval_size,
        )
