"""What TensorBoard shows beside the scalars of a step: `tensorboard --logdir summary_dir`."""

import contextlib
import pathlib
import zipfile
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from common import files
from jobs.run import Run
from jobs.visualization import images
from models import Model

MOST_EXAMPLES = 8  # that a run shows at every checkpoint
PICTURE_SCALE = 2  # TensorBoard shows small pictures at their size in pixels
SHOWN_FLAGS = ('model', 'dataset', 'num_targets', 'batch_size', 'mixed_precision')
STATISTICS = {'mean': 'mean', 'stddev': 'std', 'max': 'max', 'min': 'min'}  # release's: NumPy's
FINAL_METRICS = (('final/wrong_percent', 'test wrong, %'), ('final/loss', 'test loss'))


def fixed_batch(path: str, batches: tf.data.Dataset) -> dict[str, np.ndarray]:
    """Features of the first examples a run was trained on; the same ones after it is resumed.

    Args:
      path: of the .npz that keeps them.
      batches: feature batches, read where there is no such file, or a damaged one.
    """
    wanted = batches.element_spec
    try:
        with np.load(path, allow_pickle=False) as stored:
            features = dict(stored)
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
        features = {}
    fits = features.keys() == wanted.keys() and all(
        spec.shape[1:].is_compatible_with(features[name].shape[1:]) for name, spec in wanted.items()
    )
    if not fits:
        first = next(iter(batches.take(1)))
        features = {name: value[:MOST_EXAMPLES].numpy() for name, value in first.items()}
        files.write_arrays(path, features)
    return features


def write_losses(
    total: float, classification: float | None, reconstruction: tuple[float, ...]
) -> None:
    """Scalars of a loss and its known parts, under the same tags for training and test."""
    tf.summary.scalar('loss/total', total)
    if classification is not None:
        tf.summary.scalar('loss/classification', classification)
    for number, loss in enumerate(reconstruction, 1):
        tf.summary.scalar(f'loss/reconstruction_{number}', loss)


def write_released_batch(
    total: float,
    classification: float,
    reconstruction: tuple[float, ...],
    hits: tuple[float, float],
) -> None:
    """Scalars of training under the release's tags; `hits`, correct and almost, are counts."""
    tf.summary.scalar('total_loss', total)
    tf.summary.scalar('batch_classification_cost', classification)
    for number, loss in enumerate(reconstruction):
        tf.summary.scalar('reconstruction_error' + f'_{number}' * (number > 0), loss)
    for tag, count in zip(('correct_prediction_batch', 'almost_correct_batch'), hits, strict=True):
        tf.summary.scalar(tag, count)


def write_released_counts(num_examples: int, num_wrong: int, num_almost: int) -> None:
    """Scalars of an evaluation under the release's tags: numbers of examples."""
    tf.summary.scalar('correct_prediction', num_examples - num_wrong)
    tf.summary.scalar('wrong_prediction', num_wrong)
    tf.summary.scalar('almost_wrong_prediction', num_examples - num_almost)


def write_reconstructions(model: Model, features: dict[str, np.ndarray]) -> None:
    """A picture of inputs, targets and reconstructions; nothing for a model without decoder."""
    if not model.reconstructs:
        return
    tensors = {name: tf.constant(value) for name, value in features.items()}
    reconstructions = model(tensors, training=False).reconstructions.numpy()
    table = reconstruction_table(features, reconstructions)
    enlarged = table.repeat(PICTURE_SCALE, axis=0).repeat(PICTURE_SCALE, axis=1)
    description = 'Input, target, reconstruction; a row for each target of each example.'
    tf.summary.image('reconstructions', enlarged[None], description=description)


def reconstruction_table(
    features: dict[str, np.ndarray], reconstructions: np.ndarray
) -> np.ndarray:
    """Input, target and reconstruction side by side, a row for each target: [rows, columns, 3].

    The reconstructions are [batch, targets, height, width, depth], as the target images.
    """
    targets, drawn = map(images.displayable, (features['target_images'], reconstructions))
    inputs = np.broadcast_to(images.displayable(features['images'])[:, None], drawn.shape)
    columns = np.stack([inputs, targets, drawn], axis=2)  # [batch, targets, 3, height, width, 3]
    return images.montage(columns.reshape(-1, *columns.shape[2:]))


def write_statistics(model: Model, features: dict[str, np.ndarray]) -> None:
    """What the hyper-parameter `verbose` adds (release).

    Histogram, mean, standard deviation, maximum and minimum of every weight and bias; histograms
    of conv1's activations and, of a capsule network, of the couplings.
    """
    for name, variable in model.tf_variables().items():
        values = variable.numpy()
        tf.summary.histogram(name, values)
        for statistic, measure in STATISTICS.items():
            tf.summary.scalar(f'{name}/{statistic}', getattr(values, measure)())
    inputs = tf.constant(features['images'])
    for layer in model.layers:
        if layer.name == 'conv1':
            tf.summary.histogram('conv1/activation', layer(inputs))
    routed = model.route(inputs)
    if routed is not None and routed.coupling is not None:
        tf.summary.histogram('coupling', routed.coupling)


def write_confusion(evaluation) -> None:
    """A picture of an `Evaluation`'s confusion matrix."""
    # Lazily: only evaluations draw, and a training should start without waiting for Matplotlib.
    from jobs.visualization import draw, figures

    picture = draw.render_figure(figures.draw_confusion(evaluation))
    tf.summary.image('confusion_matrix', picture[None])


def write_hparams(run: Run) -> None:
    """What TensorBoard's HParams page tells of a run, from its config.json; nothing without one.

    The event file lies in the run's folder itself: training and evaluation are one run there.
    """
    # Lazily, for programs that only want a function of this file.
    from tensorboard.plugins.hparams import summary_v2 as hparams_plugin

    config = run.config
    if config is None:
        return
    flags = {name: config['flags'].get(name) for name in SHOWN_FLAGS}
    values = {**config['hparams'], **flags, 'seed': config['seed']}
    values = {name: value for name, value in values.items() if value is not None}
    with _writing(run.folder, 0):
        names = [hparams_plugin.HParam(name) for name in values]
        metrics = [hparams_plugin.Metric(tag, display_name=name) for tag, name in FINAL_METRICS]
        hparams_plugin.hparams_config(names, metrics)
        hparams_plugin.hparams(values)


def write_final_metrics(run: Run, step: int, evaluation) -> None:
    """The newest `Evaluation` for the HParams page, with the hyper-parameters if there are none.

    They are scalars beside the hyper-parameters, not those of test/: TensorBoard does not find a
    metric in a folder below when the run itself is its --logdir.
    """
    if not any(pathlib.Path(run.folder).glob('events.out.tfevents.*')):
        write_hparams(run)
    values = (evaluation.wrong_percent, evaluation.loss)
    with _writing(run.folder, step):
        for (tag, _), value in zip(FINAL_METRICS, values, strict=True):
            tf.summary.scalar(tag, value)


@contextlib.contextmanager
def _writing(directory: str, step: int) -> Iterator[None]:
    """Sends summaries to a new event file of a directory."""
    writer = tf.summary.create_file_writer(directory)
    with writer.as_default(step):
        yield
    writer.close()
