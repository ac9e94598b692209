"""What every evaluation of a job shares: the network, the examples, where results go."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

import input_data
from jobs import devices
from jobs.evaluation import results
from jobs.evaluation.adopt import check_classes
from jobs.evaluation.scoring import Evaluation, Scorer
from jobs.options import RunOptions
from jobs.run import Run, make_config
from models import HParams, Model, build_model, checkpoint


class Session(NamedTuple):
    """A network whose weights change, and the examples it is evaluated on."""

    options: RunOptions
    run: Run | None  # where results are kept, if anywhere
    model: Model
    scorer: Scorer
    batches: tf.data.Dataset  # of the examples to evaluate, in order

    def evaluate(self, path: str) -> tuple[int, Evaluation]:
        """Evaluates a checkpoint; returns its step too."""
        step = checkpoint.restore(path, self.model, with_moments=False)
        if step != checkpoint.named_step(path):
            print(f'{path}: its name says another step than its global_step, {step}')
        with input_data.naming_faults(self.options.dataset, self.options.request('test')):
            return step, self.scorer.evaluate()

    def write_config(self) -> None:
        """Keeps what the run was started with, unless a training did; not for one that failed."""
        if self.run is None:
            return
        self.run.read_config()  # a training may have been started beside
        if self.run.training_config:
            return
        options, model = self.options, self.model
        self.run.write_config(
            make_config(
                'evaluate',
                options.values(),
                dataclasses.asdict(model.hparams),
                options.seed or 0,
                model.info,
            )
        )

    def record(self, path: str, step: int, evaluation: Evaluation) -> None:
        """Tells of the evaluation of a checkpoint and keeps it."""
        self.write_config()
        print(
            f'{path}: {evaluation.num_wrong} of {evaluation.num_examples} wrong '
            f'({evaluation.wrong_percent:g} %), loss {evaluation.loss:.5f}',
            flush=True,
        )
        if self.run is None:
            return
        split = 'valid_test' if self.options.validate else 'test'
        examples = {'dataset': self.options.dataset, 'split': split}
        best = results.record(self.run, path, step, evaluation, examples)
        if best['step'] != step:
            print(f'Best so far: {best["wrong_percent"]:g} % wrong at step {best["step"]}')


def open_session(options: RunOptions, hparams: HParams) -> Session:
    """Data, model and what they say about themselves."""
    devices.prepare(options)
    devices.seed_everything(options.seed or 0)
    batches, info = input_data.inputs(options.dataset, options.request('test'))
    check_classes(options, info)
    model = build_model(options.model, hparams, info)
    print(f'Total number of parameters: {model.count_params()}')
    if options.eval_size and options.eval_size > info.num_examples:
        print(f'--eval_size={options.eval_size}: there are only {info.num_examples} examples')
    size = f'{info.height}x{info.width}x{info.depth}'
    print(f'{info.num_examples} examples of {size} {info.note}'.strip())
    run = options.run if options.summary_dir else None
    return Session(options, run, model, Scorer(model, batches), batches)
