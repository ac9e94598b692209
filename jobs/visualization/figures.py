"""Figures of an evaluation as PNG files: what the network gets wrong, and what it has learned."""

import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.run import Run
from jobs.visualization import choose, curves
from jobs.visualization import draw as figure_drawing
from jobs.visualization.draw import Strip
from jobs.visualization.images import displayable, overlay
from models import Model

MISTAKES = 8  # in a figure, at most
FOUND, CONFUSED = 4, 4  # examples of masked reconstructions
ROUTED_EXAMPLES = 32  # whose routing logits are looked at
ROUTING_ITERATIONS = 10

Named = Iterator[tuple[str, Figure]]


def write(
    run: Run, evaluation: Evaluation, batches: tf.data.Dataset, model: Model | None
) -> list[str]:
    """Writes PNGs into the run's `test/figures`; says what it wrote and what it left out.

    Args:
      run: with the event files of its training and evaluations.
      evaluation: of the examples in `batches`.
      batches: feature batches, in order.
      model: with the weights of the evaluation; None for an ensemble, which has many.

    Returns:
      Paths of the files.
    """
    folder = pathlib.Path(run.figures_dir)
    artist = _Artist(run, evaluation, batches, model)
    paths = []
    for name, figure in artist.draw():
        path = folder / f'{name}.png'
        with files.replacing(path) as [temporary]:
            figure_drawing.save(figure, temporary)
        paths.append(str(path))
    print(f'{len(paths)} figures in {folder}')
    for line in artist.left_out:
        print(f'Left out: {line}')
    return paths


class _Artist:
    """Chooses what each figure shows."""

    def __init__(self, run, evaluation, batches, model):
        self._run = run
        self._evaluation = evaluation
        self._num_classes = evaluation.scores.shape[1]
        self._batches = batches
        self._model = model
        self._drawing = model if model is not None and model.reconstructs else None
        self._why = 'an ensemble has many' if model is None else 'this network has none'
        self.left_out: list[str] = []

    def draw(self) -> Named:
        yield 'confusion_matrix', draw_confusion(self._evaluation)
        yield from self._mistakes()
        if self._drawing is not None:
            yield from self._masked()
            yield from self._perturbations()
        else:
            self.left_out.append(f'masked_reconstructions, perturbation_*: {self._why}: decoder')
        yield from self._logit_changes()
        yield from self._curves()

    def _mistakes(self) -> Named:
        scores, predictions, labels = self._evaluation[:3]
        chosen = choose.most_confident_mistakes(scores, labels, predictions, MISTAKES)
        if not len(chosen):
            self.left_out.append('mistakes: there are none')
            return
        predictions = choose.in_label_order(predictions, labels)
        missed, invented = choose.confused_scores(scores, labels, predictions)
        titles = [
            f'{_names(labels[index])} → {_names(predictions[index])}'
            f'\n{missed[index]:.2f} → {invented[index]:.2f}'
            for index in chosen
        ]
        yield (
            'mistakes',
            figure_drawing.draw_strips(
                self._strips(chosen),
                titles,
                'Most confident mistakes: label → prediction, with scores of what was confused',
            ),
        )

    def _masked(self) -> Named:
        scores, predictions, labels = self._evaluation[:3]
        wrong = choose.is_wrong(labels, predictions, self._num_classes)
        confused = choose.most_confident_mistakes(scores, labels, predictions, CONFUSED)
        chosen = np.concatenate([np.flatnonzero(~wrong)[:FOUND], confused])
        predictions = choose.in_label_order(predictions, labels)
        neither = choose.neither_class(scores, labels, predictions)
        titles = [
            f'label {_names(labels[index])}\npredicted {_names(predictions[index])}'
            f'\nother {neither[index]}'
            for index in chosen
        ]
        title = 'Reconstructions from one class capsule each, the others set to zero'
        if labels.shape[1] > 1:
            title += '\nfirst target blue, second orange; other class orange'
        yield (
            'masked_reconstructions',
            figure_drawing.draw_strips(self._strips(chosen, neither[chosen]), titles, title),
        )

    def _strips(self, chosen: np.ndarray, neither: np.ndarray | None = None) -> list[Strip]:
        """Inputs and, with a decoder, reconstructions of chosen examples.

        Args:
          chosen: indices of examples.
          neither: [len(chosen)] a class for one more row, in place of the last label.
        """
        features = choose.gather(self._batches, chosen)
        labels = features['target_labels']
        strips = [Strip('input', displayable(features['images']))]
        if labels.shape[1] > 1:
            strips.append(Strip('targets', overlay(displayable(features['target_images']))))
        if self._drawing is None:
            return strips
        predictions = choose.in_label_order(self._evaluation.predictions[chosen], labels)
        rows = [('by label', labels), ('by prediction', predictions)]
        if neither is not None:
            rows.append(
                ('by other class', np.concatenate([labels[:, :-1], neither[:, None]], axis=1))
            )
        capsules = self._drawing.route(tf.constant(features['images'])).activation
        for name, classes in rows:
            images = choose.reconstruct(self._drawing, capsules, classes)
            strips.append(Strip(name, overlay(displayable(images))))
        return strips

    def _perturbations(self) -> Named:
        examples = choose.examples_of_classes(
            self._evaluation.labels, self._evaluation.predictions, self._num_classes
        )
        absent = [str(number) for number in range(self._num_classes) if number not in examples]
        if absent:
            self.left_out.append(
                f'perturbation of class {", ".join(absent)}: no example whose targets were found'
            )
        if not examples:
            return
        features = choose.gather(self._batches, np.array(list(examples.values())))
        capsules = self._drawing.route(tf.constant(features['images'])).activation.numpy()
        for number, own in zip(examples, capsules, strict=True):
            tiles = displayable(choose.perturbations(self._drawing, own, number))
            title = f'Class {number}: reconstructions while one dimension of its capsule changes'
            yield (
                f'perturbation_{number}',
                figure_drawing.draw_perturbations(tiles, choose.OFFSETS, title),
            )

    def _logit_changes(self) -> Named:
        count = min(ROUTED_EXAMPLES, self._evaluation.num_examples)
        images = choose.gather(self._batches, np.arange(count))['images']
        changes = None
        if self._model is not None:
            changes = choose.logit_changes(self._model, images, ROUTING_ITERATIONS)
        if changes is None:
            self.left_out.append(f'routing_logits: {self._why}: class capsules')
            return
        title = f'How far routing logits move, over {count} test images'
        own_iterations = self._model.hparams.routing
        yield (
            'routing_logits',
            figure_drawing.draw_logit_changes(changes, own_iterations, title),
        )

    def _curves(self) -> Named:
        train = curves.read(self._run.train_dir)
        test = curves.read(self._run.test_dir)
        if not train and not test:
            self.left_out.append(f'curves: no scalars in event files of {self._run.folder}')
            return
        yield 'curves', figure_drawing.draw_curves(train, test, 'Training and test')


def draw_confusion(evaluation: Evaluation) -> Figure:
    """The confusion matrix of an evaluation."""
    counts = choose.confusion_matrix(
        evaluation.labels, evaluation.predictions, evaluation.scores.shape[1]
    )
    title = (
        f'{evaluation.num_wrong:,} of {evaluation.num_examples:,} examples wrong '
        f'({evaluation.wrong_percent:.3g} %)'
    )
    return figure_drawing.draw_confusion(counts, title)


def _names(classes: np.ndarray) -> str:
    return '+'.join(map(str, classes))
