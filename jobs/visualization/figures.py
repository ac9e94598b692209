"""Figures of an evaluation: what the network gets wrong, and what it has learned."""

import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.run import Run
from jobs.visualization import choose, draw
from jobs.visualization.curves import read_curves
from jobs.visualization.draw import Strip
from jobs.visualization.images import displayable, overlay
from models import Model

MISTAKES = 16  # in a figure, at most
FOUND, CONFUSED = 4, 4  # examples of masked reconstructions
ROUTED_EXAMPLES = 32  # whose routing logits are looked at
ROUTING_ITERATIONS = 10


class Drawn(NamedTuple):
    """What was drawn of an evaluation."""

    figures: dict[str, Figure]  # by name, in the order to look at them
    left_out: list[str]  # why others are not among them


def draw_figures(
    run: Run,
    evaluation: Evaluation,
    batches: tf.data.Dataset,
    model: Model | None,
    with_perturbations: bool = True,
) -> Drawn:
    """Draws all there is to see of an evaluation.

    Args:
      run: with the event files of its training and evaluations.
      evaluation: of the examples in `batches`.
      batches: feature batches, in order.
      model: with the weights of the evaluation; None for an ensemble, which has many.
      with_perturbations: whether to draw what each dimension of each class capsule does.
    """
    artist = _Artist(evaluation, batches, model)
    artist.draw_curves(run)
    artist.figures['confusion_matrix'] = draw_confusion(evaluation)
    artist.draw_mistakes()
    artist.draw_masked()
    if with_perturbations:
        artist.draw_perturbations()
    artist.draw_logit_changes()
    return Drawn(artist.figures, artist.left_out)


def write_figures(folder: str, drawn: Drawn) -> None:
    """Writes PNGs into a folder; says what it wrote and what was left out."""
    for name, figure in drawn.figures.items():
        with files.replacing(pathlib.Path(folder) / f'{name}.png') as [temporary]:
            temporary.write_bytes(draw.encode_figure(figure))
    print(f'{len(drawn.figures)} figures in {folder}')
    for line in drawn.left_out:
        print(f'Left out: {line}')


def draw_confusion(evaluation: Evaluation) -> Figure:
    """The confusion matrix of an evaluation."""
    counts = choose.confusion_matrix(
        evaluation.labels, evaluation.predictions, evaluation.scores.shape[1]
    )
    title = (
        f'{evaluation.num_wrong:,} of {evaluation.num_examples:,} examples wrong '
        f'({evaluation.wrong_percent:.3g} %)'
    )
    return draw.draw_confusion(counts, title)


class _Artist:
    """Chooses what each figure shows."""

    def __init__(self, evaluation, batches, model):
        self.figures: dict[str, Figure] = {}
        self.left_out: list[str] = []
        self._model, self._batches = model, batches
        self._decodes = model is not None and model.reconstructs
        self._why = 'an ensemble has many' if model is None else 'this network has none'
        self._scores = evaluation.scores if model is None else model.confidences(evaluation.scores)
        self._labels = evaluation.labels
        self._predictions = choose.in_label_order(evaluation.predictions, evaluation.labels)

    def draw_curves(self, run: Run) -> None:
        train, test = read_curves(run.train_dir), read_curves(run.test_dir)
        if train or test:
            self.figures['curves'] = draw.draw_curves(train, test, 'Training and test')
        else:
            self.left_out.append(f'curves: no scalars in event files of {run.folder}')

    def draw_mistakes(self) -> None:
        chosen = self._confident_mistakes(MISTAKES)
        if not len(chosen):
            self.left_out.append('mistakes: there are none')
            return
        missed, invented = choose.confused_scores(self._scores, self._labels, self._predictions)
        titles = [
            f'{_names(self._labels[index])} → {_names(self._predictions[index])}'
            f'\n{missed[index]:.2f} → {invented[index]:.2f}\nexample {index}'
            for index in chosen
        ]
        name = 'score' if self._model is None else self._model.confidence_name
        title = f'Most confident mistakes: label → prediction, with the {name} of the class'
        self.figures['mistakes'] = draw.draw_strips(self._strips(chosen), titles, title)

    def draw_masked(self) -> None:
        if not self._decodes:
            self.left_out.append(f'masked_reconstructions, perturbation_*: {self._why}: decoder')
            return
        wrong = choose.is_wrong(self._labels, self._predictions, self._scores.shape[1])
        confused = self._confident_mistakes(CONFUSED)
        chosen = np.concatenate([np.flatnonzero(~wrong)[:FOUND], confused])
        neither = choose.neither_class(self._scores, self._labels, self._predictions)
        titles = [
            f'label {_names(self._labels[index])}\npredicted {_names(self._predictions[index])}'
            f'\nother {neither[index]}'
            for index in chosen
        ]
        title = 'Reconstructions from one class capsule each, the others set to zero'
        if self._labels.shape[1] > 1:
            title += '\nfirst target blue, second orange; other class orange'
        strips = self._strips(chosen, neither[chosen])
        self.figures['masked_reconstructions'] = draw.draw_strips(strips, titles, title)

    def draw_perturbations(self) -> None:
        if not self._decodes:
            return
        num_classes = self._scores.shape[1]
        examples = choose.examples_of_classes(self._labels, self._predictions, num_classes)
        absent = [str(number) for number in range(num_classes) if number not in examples]
        if absent:
            self.left_out.append(
                f'perturbation of class {", ".join(absent)}: no example whose targets were found'
            )
        if not examples:
            return
        features = choose.gather_examples(self._batches, np.array(list(examples.values())))
        capsules = self._model.route(tf.constant(features['images'])).activation.numpy()
        for number, own in zip(examples, capsules, strict=True):
            tiles = displayable(choose.decode_perturbations(self._model, own, number))
            title = f'Class {number}: reconstructions while one dimension of its capsule changes'
            figure = draw.draw_perturbations(tiles, choose.OFFSETS, title)
            self.figures[f'perturbation_{number}'] = figure

    def draw_logit_changes(self) -> None:
        count, changes = min(ROUTED_EXAMPLES, len(self._labels)), None
        if self._model is not None:
            images = choose.gather_examples(self._batches, np.arange(count))['images']
            changes = choose.measure_logit_changes(self._model, images, ROUTING_ITERATIONS)
        if changes is None:
            self.left_out.append(f'routing_logits: {self._why}: class capsules')
            return
        settled = ', '.join(f'{size:g} at iteration {n}' for n, size in draw.SETTLED.items())
        title = (
            f'How far routing logits move after {int(self._model.step.numpy()):,} training steps, '
            f'over {count} images\nThose of a settled network move by {settled}'
        )
        own_iterations = self._model.hparams.routing
        self.figures['routing_logits'] = draw.draw_logit_changes(changes, own_iterations, title)

    def _confident_mistakes(self, count: int) -> np.ndarray:
        return choose.most_confident_mistakes(self._scores, self._labels, self._predictions, count)

    def _strips(self, chosen: np.ndarray, neither: np.ndarray | None = None) -> list[Strip]:
        """Inputs and, with a decoder, reconstructions of chosen examples.

        Args:
          chosen: indices of examples.
          neither: [len(chosen)] a class for one more row, in place of the last label.
        """
        features = choose.gather_examples(self._batches, chosen)
        labels = features['target_labels']
        strips = [Strip('input', displayable(features['images']))]
        if labels.shape[1] > 1:
            strips.append(Strip('targets', overlay(displayable(features['target_images']))))
        if not self._decodes:
            return strips
        rows = [('by label', labels), ('by prediction', self._predictions[chosen])]
        if neither is not None:
            other = np.concatenate([labels[:, :-1], neither[:, None]], axis=1)
            rows.append(('by other class', other))
        capsules = self._model.route(tf.constant(features['images'])).activation
        for name, classes in rows:
            images = choose.decode_capsules(self._model, capsules, classes)
            strips.append(Strip(name, overlay(displayable(images))))
        return strips


def _names(classes: np.ndarray) -> str:
    return '+'.join(map(str, classes))
