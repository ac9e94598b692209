"""The training job: finds where to start, builds data and model, runs the loop."""

import dataclasses
import pathlib
import secrets

import numpy as np
import tensorflow as tf

import input_data
from common import files
from common.errors import UserError, printable
from input_data import Batching
from jobs import devices
from jobs import run as run_config
from jobs.options import RunOptions
from jobs.training import loop
from models import HParams, Model, build_model, checkpoint


def run(options: RunOptions) -> int:
    """Trains to `options.max_steps`, from the newest checkpoint in `summary_dir` if there is one.

    Returns:
      The step it ended at.

    Raises:
      UserError, input_data.DataError, models.ModelError, models.hparams.HParamsError,
      models.checkpoint.CheckpointError, OSError: for whatever is wrong with options or files.
    """
    for name in ('data_dir', 'summary_dir'):
        if not getattr(options, name):
            raise UserError(f'--{name} is needed to train')
    hparams = HParams.parse(options.hparams_override)
    devices.prepare(options.gpu_memory_limit_mb, options.mixed_precision)
    strategy = devices.make_strategy(options.num_gpus)
    if devices.worker_index(strategy) == 0:
        files.check_directory(f'--summary_dir={options.summary_dir}', options.train_dir)
    old_config = run_config.read(options.summary_dir)
    resumes = old_config is not None and old_config['job'] == 'train'
    replicas = strategy.num_replicas_in_sync
    if options.batch_size % replicas:
        raise UserError(f'--batch_size={options.batch_size} does not split over {replicas} devices')
    seed, origin = _choose_seed(options.seed, old_config if resumes else None)
    start = _newest_checkpoint(options.train_dir)
    first_step = checkpoint.step_of(start) if start else 0
    # The chief's word counts: other workers may see other files, or draw another seed.
    seed, first_step = map(int, devices.from_chief(strategy, list(np.int64([seed, first_step]))))
    devices.seed_everything(seed)
    batching = Batching(
        options.batch_size,
        seed=seed,
        first_step=first_step,
        num_workers=devices.num_workers(strategy),
        worker=devices.worker_index(strategy),
        replicas=replicas // devices.num_workers(strategy),
    )
    batches, info = input_data.inputs(options.dataset, options.request('train', batching))
    options = dataclasses.replace(options, seed=seed)
    config = run_config.make('train', dataclasses.asdict(options), hparams, seed, info)
    if resumes:
        run_config.check_resumable(options.summary_dir, old_config, config)
    with strategy.scope():
        model = build_model(options.model, hparams, info, seed)
        model.build_optimizer()
        if start and batching.worker == 0:
            checkpoint.restore(start, model)
        _share_state(strategy, model)
    is_chief = batching.worker == 0
    if is_chief:
        for directory in (options.summary_dir, options.train_dir):
            files.remove_abandoned(directory)
        checkpoint.tidy(options.train_dir)
        run_config.write(options.summary_dir, config)
        print(f'Total number of parameters: {model.count_params()}')
        print(f'Seed {seed} ({origin})')
        size = f'{info.height}x{info.width}x{info.depth}'
        print(f'{info.num_examples} training examples of {size} {info.note}'.strip())
        if start:
            print(f'Resuming from {start}')
    settings = loop.TrainSettings(
        train_dir=options.train_dir,
        max_steps=options.max_steps,
        batch_size=options.batch_size,
        save_step=options.save_step,
        summary_step=options.summary_step,
        keep_checkpoints=options.keep_checkpoints,
    )
    finished = pathlib.Path(run_config.finished_path(options.summary_dir))
    if is_chief:
        finished.unlink(missing_ok=True)
    try:
        step = loop.train(model, strategy, batches, settings, is_chief)
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, UnicodeDecodeError):
        # A broken example stops the graph without saying which: look for it at leisure.
        input_data.check(options.dataset, options.request('train', batching))
        raise

    if is_chief and step >= options.max_steps:
        files.write_json(finished, {'step': step})
    return step


def _newest_checkpoint(directory: str) -> str | None:
    """The newest checkpoint that can be read; says which ones cannot."""
    for step in reversed(checkpoint.steps(directory)):
        path = checkpoint.path_of(directory, step)
        try:
            checkpoint.verify(path)
        except checkpoint.CheckpointError as error:
            print(printable(f'Passed over: {error}'))
        else:
            return path
    return None


def _share_state(strategy: tf.distribute.Strategy, model: Model) -> None:
    """Gives every worker of a cluster the chief's variables, moments and step."""
    if devices.num_workers(strategy) == 1:
        return
    variables = [*model.tf_variables().values(), *model.adam.moments, model.step]
    values = devices.from_chief(strategy, [variable.numpy() for variable in variables])
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _choose_seed(given: int | None, old_config: dict | None) -> tuple[int, str]:
    """The seed, and where it comes from."""
    if given is not None:
        return given, 'from --seed'
    if old_config is not None:
        return old_config['seed'], f'of the run that is resumed, {run_config.FILE_NAME}'
    return secrets.randbelow(2**31), 'drawn; --seed repeats the run'
