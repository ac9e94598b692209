"""What an evaluation takes over from the training whose checkpoints it looks at."""

import dataclasses

from common.errors import UserError
from input_data import DatasetInfo
from jobs.options import RunOptions
from jobs.run import FIXED_FLAGS, Config, Run
from models import HParams


def adopt_training(options: RunOptions) -> tuple[RunOptions, HParams]:
    """The network, kind of data and hyper-parameters to evaluate with; tells where from.

    They are those of the training's config.json, where there is one and no flag says otherwise. A
    flag wins: three iterations trained and five tried is an experiment.

    Raises:
      UserError: if config.json is not ours, or a hyper-parameter cannot be.
    """
    run = _find_run(options)
    config = run.training_config
    if config is None:
        return options, HParams.parse(options.hparams_override)
    adopted, hparams = options.of_run(config), run.parse_hparams(options.hparams_override)
    taken = [
        f'--{name}={getattr(adopted, name)}'
        for name in FIXED_FLAGS
        if getattr(adopted, name) != getattr(options, name)
    ]
    before = dataclasses.asdict(run.parse_hparams(None))
    given = dataclasses.asdict(HParams.parse(options.hparams_override))
    now = dataclasses.asdict(hparams)
    taken += [f'{name}={value}' for name, value in now.items() if value != given[name]]
    if taken:
        print(f'As in the training ({run.config_path}): {" ".join(taken)}')
    for line in _differences(adopted, config, before, now):
        print(f'{line} ({run.config_path})')
    return adopted, hparams


def check_classes(options: RunOptions, info: DatasetInfo) -> None:
    """Raises UserError if the examples are of other classes, by name, than the training's."""
    run, found = _find_run(options), info.class_names
    trained = (run.training_config or {}).get('data', {}).get('class_names')
    if not found or not isinstance(trained, list) or trained == [*found]:
        return
    known = {*map(str, trained)}
    beyond, lacking = (
        ', '.join(sorted(one)[:3]) or 'none' for one in ({*found} - known, known - {*found})
    )
    raise UserError(
        f'--data_dir={options.data_dir}: found classes that the training had not: {beyond}; and '
        f'not: {lacking}; expected the {len(trained)} classes of {run.config_path}'
    )


def _find_run(options: RunOptions) -> Run:
    # `check` has seen to it that one of the two is given.
    return Run.of_checkpoint(options.checkpoint_of(0)) if options.checkpoint else options.run


def _differences(options: RunOptions, config: Config, before: dict, now: dict) -> list[str]:
    """A line for each flag and hyper-parameter that is not the training's."""
    lines = [
        f'--{name}={getattr(options, name)}: the training had {config["flags"][name]}'
        for name in FIXED_FLAGS
        if getattr(options, name) != config['flags'].get(name, getattr(options, name))
    ]
    return lines + [
        f'--hparams_override={name}={now[name]}: the training had {value}'
        for name, value in before.items()
        if now[name] != value
    ]
