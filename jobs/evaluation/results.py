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


def record(run: Run, checkpoint: str, step: int, evaluation: Evaluation) -> dict:
    """Appends an evaluation to a run's event files and results; updates the best.

    Returns:
      What `best.json` holds now.
    """
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
    result = {
        'step': step,
        'checkpoint': checkpoint,
        'num_examples': evaluation.num_examples,
        'num_wrong': evaluation.num_wrong,
        'wrong_percent': evaluation.wrong_percent,
        'num_almost': evaluation.num_almost,
        'loss': evaluation.loss,
        'classification_loss': evaluation.classification,
        'reconstruction_losses': list(evaluation.reconstruction),
    }
    with open(run.results_path, 'a', encoding='utf-8') as file:
        file.write(json.dumps(result) + '\n')
    best = min([*_read_best(run.best_path), result], key=lambda one: one['wrong_percent'])
    files.write_json(run.best_path, best)
    return best


def _read_best(path: str) -> list[dict]:
    try:
        best = json.loads(pathlib.Path(path).read_text('utf-8'))
        return [best] if type(best['step']) is int and 0 <= best['wrong_percent'] <= 100 else []
    except (FileNotFoundError, RecursionError, ValueError, TypeError, KeyError):
        return []
