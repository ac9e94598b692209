"""The training job: finds where to start, builds data and model, runs the loop."""

import dataclasses
import pathlib
import secrets
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import input_data
from common import files
from common.errors import UserError, printable
from common.lock import hold_folder
from input_data import Batching, DatasetInfo
from jobs import devices
from jobs.options import RunOptions
from jobs.run import Run, make_config
from jobs.training import loop
from jobs.training.capacity import Plan, describe_forecast
from jobs.training.signals import StopSignals
from models import HParams, Model, build_model, checkpoint


class _Start(NamedTuple):
    """Where a training sets out from."""

    seed: int
    origin: str  # of the seed, in words
    checkpoint: str | None  # to go on from
    step: int  # that it holds


def run(options: RunOptions) -> int:
    """Trains to `options.max_steps`, from the newest checkpoint in `summary_dir` if there is one.

    Args:
      options: as `RunOptions.check` lets them pass.

    Returns:
      The step it ended at.

    Raises:
      UserError, OSError: for whatever is wrong with options or files.
    """
    strategy, run = _prepare_devices(options), options.run
    if devices.worker_index(strategy):
        return _train(options, strategy)
    with hold_folder(f'--summary_dir={run.folder}', run.folder):
        return _train(options, strategy)


def _prepare_devices(options: RunOptions) -> tf.distribute.Strategy:
    devices.prepare(options)
    strategy = devices.make_strategy(options)
    replicas = strategy.num_replicas_in_sync
    if devices.worker_index(strategy) == 0:
        files.check_directory(f'--summary_dir={options.summary_dir}', options.run.train_dir)
    if options.batch_size % replicas:
        raise UserError(f'--batch_size={options.batch_size} does not split over {replicas} devices')
    return strategy


def _train(options: RunOptions, strategy: tf.distribute.Strategy) -> int:
    """One worker's part; returns the step it ended at."""
    run, hparams = options.run, HParams.parse(options.hparams_override)
    start = _find_start(options, strategy)
    batching = Batching(
        options.batch_size,
        seed=start.seed,
        first_step=start.step,
        num_workers=devices.num_workers(strategy),
        worker=devices.worker_index(strategy),
        replicas=strategy.num_replicas_in_sync // devices.num_workers(strategy),
    )
    batches, info = input_data.inputs(options.dataset, options.request('train', batching))
    flags = {**options.values(), 'seed': start.seed}
    config = make_config('train', flags, dataclasses.asdict(hparams), start.seed, info)
    run.check_resumable(config)
    changes = run.list_changes(config) if start.checkpoint else []
    forecast = describe_forecast(options, Plan(options.model, hparams, info, batching))
    with StopSignals() as stop:
        if not batching.worker:
            print(forecast, flush=True)
    with strategy.scope():  # a cluster may hang here: signals are to end it
        model = _build_model(options.model, hparams, info, start, strategy)
    if not batching.worker:
        _prepare_folder(run)
        run.write_config(config)
    with stop:
        if not batching.worker:
            _describe(model, info, start, changes)
        return _run_loop(options, strategy, model, batches, batching, stop)


def _find_start(options: RunOptions, strategy: tf.distribute.Strategy) -> _Start:
    """Seed and checkpoint, the same for all workers."""
    seed, origin = _choose_seed(options)
    path = _newest_checkpoint(options.run.train_dir)
    step = checkpoint.step_of(path) if path else 0
    # The chief's word counts: other workers may see other files, or draw another seed.
    seed, step = map(int, devices.from_chief(strategy, [np.array(seed), np.array(step)]))
    devices.seed_everything(seed)
    return _Start(seed, origin, path, step)


def _build_model(
    name: str, hparams: HParams, info: DatasetInfo, start: _Start, strategy: tf.distribute.Strategy
) -> Model:
    """The model with its optimizer, set from the checkpoint to go on from."""
    model = build_model(name, hparams, info, start.seed)
    model.build_optimizer()
    if start.checkpoint and devices.worker_index(strategy) == 0:
        checkpoint.restore(start.checkpoint, model)
    _share_state(strategy, model)
    return model


def _run_loop(
    options: RunOptions,
    strategy: tf.distribute.Strategy,
    model: Model,
    batches: tf.data.Dataset,
    batching: Batching,
    stop: StopSignals,
) -> int:
    is_chief, names = batching.worker == 0, dataclasses.fields(loop.TrainSettings)
    settings = loop.TrainSettings(**{field.name: getattr(options, field.name) for field in names})
    with input_data.naming_faults(options.dataset, options.request('train', batching)):
        step = loop.train(model, strategy, batches, settings, stop, is_chief)
    if is_chief and step >= options.max_steps:
        files.write_json(options.run.finished_path, {'step': step})
    return step


def _prepare_folder(run: Run) -> None:
    """Clears up after a training that was killed, and takes back that it is finished."""
    run.remove_abandoned()
    checkpoint.tidy(run.train_dir)
    pathlib.Path(run.finished_path).unlink(missing_ok=True)


def _describe(model: Model, info: DatasetInfo, start: _Start, changes: list[str]) -> None:
    print(f'Total number of parameters: {model.count_params()}')
    print(f'Seed {start.seed} ({start.origin})')
    size = f'{info.height}x{info.width}x{info.depth}'
    print(f'{info.num_examples} training examples of {size} {info.note}'.strip())
    if start.checkpoint:
        print(f'Resuming from {start.checkpoint}')
    for line in changes:
        print(printable(line))


def _newest_checkpoint(directory: str) -> str | None:
    """The newest checkpoint to go on from; says which ones are passed over.

    Raises:
      CheckpointError: if the only good ones are named after other steps than they hold. The run
        would write beside them, and start from them again each time.
    """
    misnamed = None
    for step in reversed(checkpoint.steps(directory)):
        path = checkpoint.path_of(directory, step)
        try:
            checkpoint.verify(path)
        except checkpoint.CheckpointError as error:
            print(printable(f'Passed over: {error}'))
            continue
        try:
            checkpoint.check_name(path)
        except checkpoint.CheckpointError as error:
            print(printable(f'Passed over: {error}'))
            misnamed = error
        else:
            return path
    if misnamed is not None:
        raise misnamed
    return None


def _share_state(strategy: tf.distribute.Strategy, model: Model) -> None:
    """Gives every worker of a cluster the chief's variables, moments and step."""
    if devices.num_workers(strategy) == 1:
        return
    variables = [*model.tf_variables().values(), *model.adam.moments, model.step]
    values = devices.from_chief(strategy, [variable.numpy() for variable in variables])
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _choose_seed(options: RunOptions) -> tuple[int, str]:
    """The seed, and where it comes from."""
    if options.seed is not None:
        return options.seed, 'from --seed'
    if options.run.training_config:
        return options.run.training_config['seed'], 'of the run that is resumed, config.json'
    return secrets.randbelow(2**31), 'drawn; --seed repeats the run'
