"""What an evaluation leaves: predictions, scalars, a line a checkpoint, and the best of them."""

import json
import os
import pathlib

import tensorflow as tf

from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.options import PREDICTIONS
from jobs.run import Run
from jobs.visualization import summaries


def write_predictions(path: str, evaluation: Evaluation) -> None:
    """Writes scores, predictions and labels as an .npz."""
    files.write_arrays(path, {name: getattr(evaluation, name) for name in PREDICTIONS})


def record(
    run: Run, checkpoint: str, step: int, evaluation: Evaluation, examples: dict[str, str]
) -> dict:
    """Appends an evaluation to a run's event files and results; updates the best.

    Args:
      run: to keep it in.
      checkpoint: path of the weights.
      step: theirs.
      evaluation: what came of it.
      examples: which they were: the data set and the split.

    Returns:
      What `best.json` holds now: that with the fewest errors on as many of the same examples.
    """
    _write_summaries(run, step, evaluation)
    result = {
        'step': step,
        'checkpoint': checkpoint,
        **examples,
        'num_examples': evaluation.num_examples,
        'num_wrong': evaluation.num_wrong,
        'wrong_percent': evaluation.wrong_percent,
        'num_almost': evaluation.num_almost,
        'loss': evaluation.loss,
        'classification_loss': evaluation.classification,
        'reconstruction_losses': list(evaluation.reconstruction),
    }
    alike = [*examples, 'num_examples']
    known = _read_results(run.results_path)
    before = [one for one in known if all(one[key] == result[key] for key in alike)]
    _append_line(run.results_path, json.dumps(result))
    best = min([*before, result], key=lambda one: one['wrong_percent'])
    files.write_json(run.best_path, best)
    return best


def _write_summaries(run: Run, step: int, evaluation: Evaluation) -> None:
    os.makedirs(run.test_dir, exist_ok=True)
    writer = tf.summary.create_file_writer(run.test_dir)
    with writer.as_default(step):
        summaries.write_losses(
            evaluation.loss, evaluation.classification, evaluation.reconstruction
        )
        tf.summary.scalar('accuracy', 1 - evaluation.num_wrong / evaluation.num_examples)
        tf.summary.scalar('almost_correct', evaluation.num_almost / evaluation.num_examples)
        tf.summary.scalar('images_per_second', evaluation.images_per_second)
        counts = evaluation.num_examples, evaluation.num_wrong, evaluation.num_almost
        summaries.write_released_counts(*counts)
        summaries.write_confusion(evaluation)
    writer.close()
    summaries.write_final_metrics(run, step, evaluation)


def _append_line(path: str, line: str) -> None:
    """Appends a line; one that a killed process has cut off gets an end of its own before."""
    try:
        with open(path, 'ab+') as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b'\n' else f'\n{line}'
            file.write(f'{line}\n'.encode())
    except OSError as error:
        error.filename = path  # of a full disk, the system does not say where
        raise


def _read_results(path: str) -> list[dict]:
    """The evaluations in results.jsonl, without damaged lines and those of older versions."""
    try:
        lines = pathlib.Path(path).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    results = []
    for line in lines:
        try:
            one = json.loads(line)
            is_whole = {'dataset', 'split', 'num_examples'} <= one.keys()
            if is_whole and type(one['step']) is int and 0 <= one['wrong_percent'] <= 100:
                results.append(one)
        except (RecursionError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return results
