"""Every option of the program, once: name, kind, default, bounds and help.

A field of `RunOptions` is an option: experiment.py makes a flag of it. TensorFlow is not imported
here, so that what is wrong with options is told at once. Longer than other files: which options
there are and what must hold between them is one matter.
"""

import dataclasses
import functools
import glob
import os
import re
import typing
from typing import Any, NamedTuple

from common import files
from common.errors import UserError
from input_data import DATASETS, Batching, InputRequest
from jobs.run import FIXED_FLAGS, Config, Run

# Steps, seeds and sizes beyond it do not fit into the integers that TensorFlow and NumPy take.
LARGEST = 2**31 - 1
PREDICTIONS = ('scores', 'predictions', 'labels')  # the arrays of --predictions


def _option(default, help: str, lowest: int = 0, highest: int = LARGEST, release: bool = False):
    metadata = {'help': help + ' (release)' * release, 'lowest': lowest, 'highest': highest}
    return dataclasses.field(default=default, metadata=metadata)


_released = functools.partial(_option, release=True)  # with its name and default


class Option(NamedTuple):
    """What a flag is made from."""

    name: str
    kind: type  # str, int or bool
    default: Any
    help: str
    lowest: int  # value of an int
    highest: int


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What one job is asked to do."""

    data_dir: str | None = _released(
        None, 'Directory, record file, glob, or prefix@N for N shards.'
    )
    eval_size: int | None = _released(
        None, "Most examples to evaluate; by default the data set's own number, 10000 for MNIST.", 1
    )
    hparams_override: str | None = _released(
        None, 'Hyper-parameters, as key=value,key=value; all are listed at the end of --help.'
    )
    max_steps: int = _released(1000, 'Step to train to, in all.')
    model: str = _released('capsule', 'Network; all are listed at the end of --help.')
    dataset: str = _released('mnist', f'Kind of data in data_dir: {", ".join(DATASETS)}.')
    num_gpus: int = _released(1, 'GPUs of this machine to train on.', 1)
    num_targets: int = _released(1, 'Objects in an image.', 1, 2)
    num_trials: int = _released(1, 'Checkpoints of an ensemble.', 1)
    save_step: int = _released(1500, 'Steps between checkpoints.', 1)
    summary_dir: str | None = _released(
        None, 'Directory of the run: train/, test/ and config.json.'
    )
    checkpoint: str | None = _released(None, 'Checkpoint to evaluate, as PATH/model.ckpt-STEP.')
    train: bool = _released(True, 'Whether to train; otherwise evaluate.')
    validate: bool = _released(False, 'Hold part of the training set out, and evaluate on it.')
    batch_size: int = _option(128, 'Examples of a training step.', 1)
    eval_batch_size: int = _option(100, 'Examples of an evaluation step.', 1)
    seed: int | None = _option(None, 'Of everything random; drawn if not given.')
    shift: int | None = _option(
        None,
        'Largest move, in pixels, of digits made while training; by default that of the paper: '
        '4 for multi_mnist, 2 for shifted_mnist and grey pictures.',
    )
    image_size: int | None = _option(
        None, 'Side in pixels that the pictures of image_folder are brought to; by default 32.', 1
    )
    strict: bool = _option(False, 'Refuse files of image_folder that are no pictures.')
    predictions: str | None = _option(None, 'File for scores, predictions and labels (.npz).')
    figures: bool = _option(False, 'Evaluation draws PNGs in summary_dir/test/figures.')
    report: bool = _option(False, 'Evaluation writes summary_dir/test/report.html.')
    predict: str | None = _option(None, 'Image files to look at, as a.png,b.png or a glob.')
    json: bool = _option(False, 'Print what --predict finds as JSON.')
    export_dir: str | None = _option(None, 'New directory for a SavedModel of the checkpoint.')
    summary_step: int = _option(10, 'Steps between scalars.', 1)
    keep_checkpoints: int = _option(1000, 'Newest checkpoints kept; 0: all.')
    eval_interval_secs: int = _option(60, 'Least seconds between evaluations of a training.')
    eval_timeout_secs: int = _option(21600, 'Seconds without a new checkpoint to wait for.')
    cluster_timeout_secs: int = _option(600, 'Seconds to wait for the workers of TF_CONFIG.', 1)
    trial: int | None = _option(
        None, 'Number of this run: fills {} in summary_dir, adds to the seed.'
    )
    mixed_precision: bool = _option(False, 'Compute in bfloat16; routing and losses in float32.')
    tf32: bool = _option(True, 'Round factors of products to 10 bits of mantissa on GPUs.')
    gpu_memory_limit_mb: int = _option(0, 'Hard limit per GPU; 0: none.')
    debug: bool = _option(False, "Show tracebacks and all of TensorFlow's messages.")
    given: frozenset[str] = frozenset()  # names of those that the user gave, even as the default

    def __post_init__(self):
        for name, value in self.values().items():
            if isinstance(value, str) and '\0' in value:
                raise UserError(f'--{name}={value!r}: found a NUL character; expected none')
            # Each file of --predict is looked at for itself.
            if isinstance(value, str) and name != 'predict' and not _is_utf8(value):
                raise UserError(f'--{name}={value!r}: found bytes that are no UTF-8; expected text')
        for name in ('summary_dir', 'checkpoint', 'export_dir'):
            value = getattr(self, name) or ''
            # Its reader looks for files by pattern; its writer would not.
            if found := re.search(r'[\[\\]', value):
                raise UserError(
                    f'--{name}={value}: found {found[0]}, with which TensorFlow would not find '
                    'weights again; expected a name without it'
                )

    def values(self) -> dict[str, Any]:
        """Every option's value by its name, as config.json keeps them."""
        return {option.name: getattr(self, option.name) for option in list_options()}

    @property
    def job(self) -> str:
        """predict, export, train or evaluate."""
        if self.predict is not None:
            return 'predict'
        if self.export_dir is not None:
            return 'export'
        return 'train' if self.train else 'evaluate'

    @functools.cached_property
    def run(self) -> Run:
        """The run in `summary_dir`.

        Raises:
          UserError: if none is given.
        """
        if not self.summary_dir:
            raise UserError('--summary_dir is needed: found none')
        return Run(self.summary_dir)

    def is_given(self, name: str) -> bool:
        """Whether the user chose an option's value."""
        default = {option.name: option.default for option in list_options()}[name]
        return name in self.given or getattr(self, name) != default

    def of_run(self, config: Config | None) -> 'RunOptions':
        """These options with the network and the kind of data of a run where no flag says them."""
        flags = config['flags'] if config else {}
        names = [name for name in FIXED_FLAGS if name in flags and not self.is_given(name)]
        return dataclasses.replace(self, **{name: flags[name] for name in names})

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

    def check(self) -> None:
        """Looks whether the job can be done with these options, before it takes any time.

        Raises:
          UserError: naming the first flag or folder that is missing, wrong or would be passed over.
        """
        self._check_companions()
        if self.job == 'train':
            self._check_given('data_dir', 'summary_dir')
        elif self.job == 'evaluate':
            self._check_evaluation()
        elif not (self.checkpoint or self.summary_dir):
            raise UserError('--checkpoint or --summary_dir is needed: found neither')
        # Patterns and shards are looked for by the reader, which knows how it takes them.
        data_dir = self.data_dir or '*'
        if not (glob.has_magic(data_dir) or '@' in data_dir or os.path.exists(data_dir)):
            raise UserError(
                f'--data_dir={data_dir}: no such directory, file, pattern or set of shards '
                '(prefix@N); see --help'
            )

    def _check_companions(self) -> None:
        if self.predict is not None and self.export_dir is not None:
            raise UserError('--predict and --export_dir are two jobs: found both, expected one')
        if self.json and self.predict is None:
            raise UserError('--json: found no --predict; expected image files to look at')
        jobs = {'predict': '--predict', 'export': '--export_dir', 'train': 'training'}
        for name in ('figures', 'report', 'predictions'):
            if getattr(self, name) and self.job in jobs:
                found = jobs[self.job]
                raise UserError(f'--{name}: found {found}; expected an evaluation (--train=false)')

    def _check_evaluation(self) -> None:
        self._check_given('data_dir')
        if not self.checkpoint and not self.summary_dir:
            raise UserError('--checkpoint or --summary_dir is needed to evaluate; see --help')
        if self.checkpoint_of(0) == self.checkpoint_of(1) and self.num_trials > 1:
            raise UserError(
                f'--num_trials={self.num_trials} needs a --checkpoint with {{}} for the number of '
                f'the trial, found {self.checkpoint!r}'
            )
        if self.figures and not self.summary_dir:
            raise UserError('--figures needs --summary_dir: PNGs go to its test/figures')
        if self.report and not self.summary_dir:
            raise UserError('--report needs --summary_dir: the page goes to its test/report.html')
        if self.report and self.num_trials > 1:
            raise UserError(f'--report: found --num_trials={self.num_trials}, expected one network')
        if self.predictions:
            flag = f'--predictions={self.predictions}'
            files.check_archive(flag, self.predictions, PREDICTIONS)

    def _check_given(self, *names: str) -> None:
        missing = [f'--{name}' for name in names if not getattr(self, name)]
        if missing:
            needed = ' and '.join(missing) + (' are' if len(missing) > 1 else ' is')
            raise UserError(f'{needed} needed to {self.job}; see --help')

    def checkpoint_of(self, trial: int) -> str:
        """`checkpoint` for one member of an ensemble, by `str.format` (release).

        Raises:
          UserError: if it is no pattern for a number.
        """
        try:
            return (self.checkpoint or '').format(trial)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise UserError(
                f'--checkpoint={self.checkpoint}: found {error}; expected {{}}, {{0}} or {{:02d}} '
                'for the number of the trial, {{ and }} for braces'
            ) from error

    def request(self, split: str, batching: Batching | None = None) -> InputRequest:
        """What to ask of the data set."""
        return InputRequest(
            data_dir=self.data_dir or '',
            split=split,
            num_targets=self.num_targets,
            validate=self.validate,
            batching=batching or Batching(self.batch_size),
            eval_batch_size=self.eval_batch_size,
            eval_size=self.eval_size,
            shift=self.shift,
            image_size=self.image_size,
            strict=self.strict,
        )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def list_options() -> list[Option]:
    """All options, the release's first."""
    return [
        Option(
            field.name,
            (typing.get_args(field.type) or (field.type,))[0],
            field.default,
            **field.metadata,
        )
        for field in dataclasses.fields(RunOptions)
        if field.metadata
    ]
