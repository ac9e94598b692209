"""config.json: what a run was started with, for its reader and for the run that resumes it."""

import dataclasses
import json
import os
import pathlib
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common import files
from common.errors import UserError
from input_data import DatasetInfo
from models import HParams

FILE_NAME = 'config.json'
# What must not change when a training is resumed: the checkpoint's shapes and its meaning.
FIXED_FLAGS = ('model', 'dataset', 'num_targets')
FIXED_HPARAMS = ('num_prime_capsules', 'padding', 'remake', 'leaky')
FIXED_INFO = ('height', 'width', 'depth', 'num_classes')
KINDS = {'job': str, 'flags': dict, 'hparams': dict, 'seed': int, 'data': dict}
RANGES = {  # lowest and highest value of what a network is built from
    'seed': (0, 2**63 - 1),
    'height': (1, 4096),
    'width': (1, 4096),
    'depth': (1, 4),
    'num_classes': (1, 4096),
    'num_targets': (1, 2),
}


def make(
    job: str, flags: dict[str, Any], hparams: HParams, seed: int, info: DatasetInfo
) -> dict[str, Any]:
    """The contents of config.json.

    Args:
      job: 'train' or 'evaluate'.
      flags: every flag's value.
      hparams: all hyper-parameters, defaults too.
      seed: of the run, drawn or given.
      info: of the examples it reads.
    """
    return {
        'job': job,
        'flags': flags,
        'hparams': dataclasses.asdict(hparams),
        'seed': seed,
        'data': dataclasses.asdict(info),
        'versions': {
            'python': platform.python_version(),
            'tensorflow': tf.__version__,
            'keras': keras.__version__,
            'numpy': np.__version__,
        },
    }


def read(summary_dir: str) -> dict[str, Any] | None:
    """The config.json of a directory, or None where there is none.

    Raises:
      UserError: if the file is there but not a config.json of ours.
    """
    path = pathlib.Path(summary_dir) / FILE_NAME
    try:
        config = json.loads(path.read_text('utf-8'))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: expected JSON, found {error}') from error
    found = {'data': {}, **config} if isinstance(config, dict) else {}
    for name, kind in KINDS.items():
        if not isinstance(found.get(name), kind):
            raise UserError(
                f'{path}: found {name}={found.get(name)!r}; expected the configuration of a run, '
                f'{name} of type {kind.__name__}'
            )
    flags = {name: found['flags'][name] for name in FIXED_FLAGS if name in found['flags']}
    for name, value in (('seed', found['seed']), *flags.items(), *found['data'].items()):
        lowest, highest = RANGES.get(name, (0, 0))
        if name in RANGES and not (type(value) is int and lowest <= value <= highest):
            raise UserError(f'{path}: found {name}={value!r}; expected {lowest} to {highest}')
        if name in ('model', 'dataset') and not isinstance(value, str):
            raise UserError(f'{path}: found {name}={value!r}; expected a name')
    return found


def write(summary_dir: str, config: dict[str, Any]) -> None:
    """Writes config.json, whole or not at all; makes the directory."""
    files.write_json(pathlib.Path(summary_dir) / FILE_NAME, config)


def finished_path(summary_dir: str) -> str:
    """The file that tells a validation job that training is over."""
    return os.path.join(summary_dir, 'train', 'finished.json')


def check_resumable(summary_dir: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Refuses to continue a training as another one.

    Raises:
      UserError: naming the first flag, hyper-parameter or size that differs.
    """
    path = pathlib.Path(summary_dir) / FILE_NAME
    for part, names in (('flags', FIXED_FLAGS), ('hparams', FIXED_HPARAMS), ('data', FIXED_INFO)):
        for name in names:
            before, now = old.get(part, {}).get(name), new[part][name]
            if before is not None and before != now:
                label = f'--{name}' if part == 'flags' else name
                raise UserError(
                    f'--summary_dir={summary_dir} holds a training with {label}={before} ({path}); '
                    f'this run has {label}={now}: give it another --summary_dir'
                )
