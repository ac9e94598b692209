"""A run's folder: its paths, and config.json, which says what it was started with.

Nobody else builds a path below a run's folder or reads its config.json.
"""

import dataclasses
import functools
import json
import os
import pathlib
import platform
from typing import Any

from common import files
from common.errors import UserError
from input_data import DATASETS, DatasetInfo

# What must not change when a training is resumed: the checkpoint's shapes and its meaning.
FIXED_FLAGS = ('model', 'dataset', 'num_targets', 'image_size')
# What may change, and then changes the numbers: told, as are all of config.json's other parts.
TOLD_FLAGS = ('batch_size', 'seed', 'num_gpus', 'mixed_precision', 'validate', 'data_dir')
FIXED_HPARAMS = ('num_prime_capsules', 'padding', 'remake', 'leaky', 'stride')
FIXED_INFO = ('height', 'width', 'depth', 'num_classes', 'class_names')
KINDS = {'job': str, 'flags': dict, 'hparams': dict, 'seed': int}
MOST_BYTES = 10_000_000  # of a config.json, which holds some 2,000
LATER_PARTS = ('data', 'versions', 'machine')  # which older files may lack
RANGES = {  # lowest and highest value of what a network is built from
    'seed': (0, 2**32 - 1),
    'height': (1, 4096),
    'width': (1, 4096),
    'depth': (1, 4),
    'num_classes': (1, 4096),
    'num_targets': (1, 2),
    'image_size': (1, 4096),
}

Config = dict[str, Any]  # the contents of config.json, see `make_config`


class Run:
    """The folder of a run, whether or not it is there yet.

    Args:
      folder: as --summary_dir.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self.config_path = os.path.join(folder, 'config.json')
        self.train_dir = os.path.join(folder, 'train')  # checkpoints, event files of training
        # Tells a validation job that training is over.
        self.finished_path = os.path.join(self.train_dir, 'finished.json')
        self.summary_batch_path = os.path.join(self.train_dir, 'summary_batch.npz')
        self.test_dir = os.path.join(folder, 'test')  # what evaluations write
        # One JSON object for each evaluation, oldest first; and that with the fewest errors.
        self.results_path = os.path.join(self.test_dir, 'results.jsonl')
        self.best_path = os.path.join(self.test_dir, 'best.json')
        self.figures_dir = os.path.join(self.test_dir, 'figures')
        self.report_path = os.path.join(self.test_dir, 'report.html')

    @classmethod
    def of_checkpoint(cls, path: str) -> 'Run':
        """The run in whose train/ a checkpoint lies, or beside whose config.json."""
        folder = pathlib.Path(path).absolute().parent
        beside = cls(str(folder))
        return beside if os.path.exists(beside.config_path) else cls(str(folder.parent))

    @functools.cached_property
    def config(self) -> Config | None:
        """What config.json holds, read once; None where there is none.

        Raises:
          UserError: if the file is there but not a config.json of ours.
        """
        return _read_config(self.config_path)

    def read_config(self) -> Config | None:
        """As `config`, read anew: another process may have written it since."""
        self.config = _read_config(self.config_path)
        return self.config

    @property
    def training_config(self) -> Config | None:
        """As `config`, where a training wrote it."""
        return self.config if self.config and self.config['job'] == 'train' else None

    def remove_abandoned(self) -> None:
        """Removes what killed processes left unfinished in the run's folders."""
        for folder in (self.folder, self.train_dir, self.test_dir, self.figures_dir):
            files.remove_abandoned(folder)

    def parse_hparams(self, override: str | None) -> Any:
        """Hyper-parameters: those that `key=value,...` gives, else those of config.json.

        Raises:
          UserError: naming whichever of the two is at fault.
        """
        # Lazily, as it imports TensorFlow: options are looked at before.
        from models.hparams import HParams, HParamsError

        of_run = (self.config or {}).get('hparams', {})
        try:
            HParams.parse(None, of_run)
        except HParamsError as error:
            raise UserError(f'{self.config_path}: {error.fault}') from error
        return HParams.parse(override, of_run)

    def write_config(self, config: Config) -> None:
        """Writes config.json, whole or not at all; makes the directory."""
        files.write_json(self.config_path, config)
        self.config = config

    def check_resumable(self, new: Config) -> None:
        """Refuses to continue the training in this folder as another one.

        Raises:
          UserError: naming the first flag, hyper-parameter or size that differs.
        """
        old = self.training_config or {}
        fixed = (('flags', FIXED_FLAGS), ('hparams', FIXED_HPARAMS), ('data', FIXED_INFO))
        for part, names in fixed:
            for name in names:
                before, now = old.get(part, {}).get(name), new[part][name]
                if before is not None and before != now:
                    label = f'--{name}' if part == 'flags' else name
                    raise UserError(
                        f'--summary_dir={self.folder} holds a training with '
                        f'{label}={_shorten(before)} ({self.config_path}); this run has '
                        f'{label}={_shorten(now)}: give it another --summary_dir'
                    )

    def list_changes(self, new: Config) -> list[str]:
        """A line for whatever changes the numbers of the training in this folder from here on."""
        old, lines = self.training_config or {}, []
        for part in ('flags', 'hparams', 'data', 'versions', 'machine'):
            before, now = old.get(part, {}), new[part]
            for name in TOLD_FLAGS if part == 'flags' else now:
                if name in before and name in now and before[name] != now[name]:
                    label = f'--{name}' if part == 'flags' else name
                    lines.append(f'Changed: {label} is {now[name]}, was {before[name]}')
        return lines


def make_config(
    job: str, flags: dict[str, Any], hparams: dict[str, Any], seed: int, info: DatasetInfo
) -> Config:
    """The contents of config.json.

    Args:
      job: 'train' or 'evaluate'.
      flags: every flag's value.
      hparams: all hyper-parameters, defaults too.
      seed: of the run, drawn or given.
      info: of the examples it reads.
    """
    # Lazily: options are looked at before TensorFlow is imported.
    import keras
    import numpy as np
    import tensorflow as tf

    names = info.class_names and [*info.class_names]  # as they are read again
    return {
        'job': job,
        'flags': flags,
        'hparams': hparams,
        'seed': seed,
        'data': dataclasses.asdict(info) | {'class_names': names},
        'versions': {
            'python': platform.python_version(),
            'tensorflow': tf.__version__,
            'keras': keras.__version__,
            'numpy': np.__version__,
        },
        'machine': {
            'threads': _count_threads(),
            'onednn': os.environ.get('TF_ENABLE_ONEDNN_OPTS', 'default'),
        },
    }


def _shorten(value: Any) -> str:
    text = str(value)  # of the names of all classes, perhaps
    return text if len(text) < 200 else f'{text[:200]}...'


def _count_threads() -> int:
    """Threads that TensorFlow computes a product with: sums in another number end otherwise."""
    import tensorflow as tf

    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )
    return tf.config.threading.get_intra_op_parallelism_threads() or usable


def _read_config(path: str) -> Config | None:
    try:
        with open(path, 'rb') as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f'more than {MOST_BYTES} bytes')
        config = json.loads(content)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: expected JSON, found {error}') from error
    found: Config = dict.fromkeys(LATER_PARTS, {}) | config if isinstance(config, dict) else {}
    for name, kind in (KINDS | dict.fromkeys(LATER_PARTS, dict)).items():
        if not isinstance(found.get(name), kind):
            raise UserError(
                f'{path}: found {name}={found.get(name)!r}; expected the configuration of a run, '
                f'{name} of type {kind.__name__}'
            )
    flags = {name: found['flags'][name] for name in FIXED_FLAGS if name in found['flags']}
    flags = {name: value for name, value in flags.items() if (name, value) != ('image_size', None)}
    for name, value in (('seed', found['seed']), *flags.items(), *found['data'].items()):
        lowest, highest = RANGES.get(name, (0, 0))
        if name in RANGES and not (type(value) is int and lowest <= value <= highest):
            raise UserError(f'{path}: found {name}={value!r}; expected {lowest} to {highest}')
        if name == 'model' and not isinstance(value, str):
            raise UserError(f'{path}: found model={value!r}; expected a name')
        if name == 'dataset' and value not in [*DATASETS]:
            raise UserError(f'{path}: found dataset={value!r}; expected {", ".join(DATASETS)}')
    return found
