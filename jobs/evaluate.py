"""The evaluation job: every example counted once."""

import dataclasses
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tqdm

import input_data
import layers
from jobs import devices, run_config
from jobs.errors import JobError
from jobs.options import RunOptions
from models import HParams, Model, build_model, checkpoint


class Evaluation(NamedTuple):
    """What a model, or the sum of several, makes of N examples."""

    scores: np.ndarray  # [N, classes] float32
    predictions: np.ndarray  # [N, targets] int32, highest score first
    labels: np.ndarray  # [N, targets] int32, in the order of the records
    num_wrong: int  # examples whose predictions are not exactly their labels
    num_almost: int  # examples with at least one label among the predictions
    loss: float  # mean total loss

    @property
    def num_examples(self) -> int:
        return len(self.scores)

    @property
    def wrong_percent(self) -> float:
        return 100 * self.num_wrong / self.num_examples

    def line(self) -> str:
        """The line that an evaluation ends with."""
        return f'Total wrong predictions: {self.num_wrong}, wrong percent: {self.wrong_percent:g}%'


def run(options: RunOptions) -> Evaluation:
    """Evaluates `options.checkpoint`, or the newest checkpoint in `summary_dir/train`.

    Raises:
      JobError, input_data.DataError, models.ModelError, models.hparams.HParamsError,
      models.checkpoint.CheckpointError, OSError: for whatever is wrong with options or files.
    """
    if not options.data_dir:
        raise JobError('--data_dir is needed to evaluate')
    if not options.checkpoint and not options.summary_dir:
        raise JobError('--checkpoint or --summary_dir is needed to evaluate')
    hparams = HParams.parse(options.hparams_override)
    seed = options.seed or 0
    devices.prepare(seed, options.gpu_memory_limit_mb)
    path = options.checkpoint or checkpoint.latest(options.train_dir)
    if path is None:
        raise JobError(f'--summary_dir={options.summary_dir}: no checkpoint in {options.train_dir}')
    request = options.request('test')
    batches, info = input_data.inputs(options.dataset, request)
    model = build_model(options.model, hparams, info)
    print(f'Total number of parameters: {model.count_params()}')
    step = checkpoint.restore(path, model, with_moments=False)
    print(f'Evaluating {path} (step {step}) on {info.num_examples} examples')
    try:
        evaluation = evaluate(model, batches, show_progress=True)
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError):
        input_data.check(options.dataset, request)
        raise
    if options.summary_dir:
        old_config = run_config.read(options.summary_dir)
        if old_config is None or old_config['job'] != 'train':
            flags = dataclasses.asdict(options)
            config = run_config.make('evaluate', flags, hparams, seed, info)
            run_config.write(options.summary_dir, config)
        write_summaries(options.test_dir, step, evaluation)
    if options.predictions:
        write_predictions(options.predictions, evaluation)
        print(f'Predictions {options.predictions}')
    print(evaluation.line())
    return evaluation


def evaluate(model: Model, batches: tf.data.Dataset, show_progress: bool = False) -> Evaluation:
    """Evaluates a model as it stands.

    Args:
      model: a built model, its variables set.
      batches: feature batches, once through the examples; the last may be smaller.
      show_progress: show a bar on a terminal.
    """
    run = tf.function(model.eval_step, reduce_retracing=True)
    scores, labels, targets = [], [], []
    loss = 0.0
    hidden = None if show_progress else True  # None: hidden unless on a terminal
    for features in tqdm.tqdm(batches, 'evaluating', unit='batch', leave=False, disable=hidden):
        result = run(features)
        scores.append(result.scores.numpy())
        labels.append(features['labels'].numpy())
        targets.append(features['target_labels'].numpy())
        loss += float(result.losses.total) * len(scores[-1])
    all_scores, all_labels = np.concatenate(scores), np.concatenate(labels)
    return judge(all_scores, all_labels, np.concatenate(targets), loss / len(all_scores))


def judge(
    scores: np.ndarray, labels: np.ndarray, target_labels: np.ndarray, loss: float
) -> Evaluation:
    """Counts the errors of scores.

    Args:
      scores: [N, classes].
      labels: [N, classes] one-hot or two-hot.
      target_labels: [N, targets].
      loss: to report.
    """
    num_targets = target_labels.shape[1]
    hits = layers.count_hits(scores, labels, num_targets)
    return Evaluation(
        scores=scores,
        predictions=np.asarray(layers.top_classes(scores, num_targets)),
        labels=target_labels,
        num_wrong=len(scores) - int(np.sum(hits.correct)),
        num_almost=int(np.sum(hits.almost)),
        loss=loss,
    )


def write_predictions(path: str, evaluation: Evaluation) -> None:
    """Writes scores, predictions and labels as an .npz, whole or not at all."""
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f'{target.name}.{os.getpid()}.tmp')
    with open(beside, 'wb') as file:
        np.savez(
            file,
            scores=evaluation.scores,
            predictions=evaluation.predictions,
            labels=evaluation.labels,
        )
    beside.replace(target)


def write_summaries(directory: str, step: int, evaluation: Evaluation) -> None:
    """Appends the evaluation's scalars to the event files of a directory."""
    writer = tf.summary.create_file_writer(directory)
    with writer.as_default(step):
        tf.summary.scalar('loss/total', evaluation.loss)
        tf.summary.scalar('accuracy', 1 - evaluation.num_wrong / evaluation.num_examples)
        tf.summary.scalar('almost_correct', evaluation.num_almost / evaluation.num_examples)
    writer.close()
