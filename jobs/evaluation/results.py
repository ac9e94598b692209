"""What an evaluation leaves: predictions, scalars, a line a checkpoint, and the best of them."""

import json
import pathlib

import tensorflow as tf

from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.visualization import summaries

LINES = 'results.jsonl'  # one JSON object for each evaluation, oldest first
BEST = 'best.json'  # the object with the fewest wrong predictions


def write_predictions(path: str, evaluation: Evaluation) -> None:
    """Writes scores, predictions and labels as an .npz."""
    names = ('scores', 'predictions', 'labels')
    files.write_arrays(path, {name: getattr(evaluation, name) for name in names})


def record(directory: str, checkpoint: str, step: int, evaluation: Evaluation) -> dict:
    """Appends an evaluation to a directory's event files and results; updates the best.

    Returns:
      What `best.json` holds now.
    """
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    writer = tf.summary.create_file_writer(directory)
    with writer.as_default(step):
        summaries.write_losses(
            evaluation.loss, evaluation.classification, evaluation.reconstruction
        )
        tf.summary.scalar('accuracy', 1 - evaluation.num_wrong / evaluation.num_examples)
        tf.summary.scalar('almost_correct', evaluation.num_almost / evaluation.num_examples)
        tf.summary.scalar('images_per_second', evaluation.images_per_second)
        summaries.write_confusion(evaluation)
    writer.close()
    summaries.write_final_metrics(str(folder.parent), step, evaluation)
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
    with open(folder / LINES, 'a', encoding='utf-8') as file:
        file.write(json.dumps(result) + '\n')
    best = min([*_read_best(folder), result], key=lambda one: one['wrong_percent'])
    files.write_json(folder / BEST, best)
    return best


def _read_best(folder: pathlib.Path) -> list[dict]:
    try:
        best = json.loads((folder / BEST).read_text('utf-8'))
        return [best] if type(best['step']) is int and 0 <= best['wrong_percent'] <= 100 else []
    except (FileNotFoundError, RecursionError, ValueError, TypeError, KeyError):
        return []
