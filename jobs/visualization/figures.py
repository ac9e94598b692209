"""Figures of an evaluation: what the network gets wrong, and what it has learned."""

import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.run import Run
from jobs.visualization import choose, draw
from jobs.visualization.curves import read_curves
from jobs.visualization.images import displayable, overlay
from models import Model

NAME_LETTERS = 13  # of a class, over a picture
MOST_PERTURBED = 20  # classes
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
    figures: dict[str, Figure] = {}
    left_out: list[str] = []
    train, test = read_curves(run.train_dir), read_curves(run.test_dir)
    if train or test:
        figures['curves'] = draw.draw_curves(train, test, 'Training and test')
    else:
        left_out.append(f'curves: no scalars in event files of {run.folder}')
    figures['confusion_matrix'] = draw_confusion(evaluation)
    shown = evaluation._replace(
        scores=evaluation.scores if model is None else model.confidences(evaluation.scores),
        predictions=choose.in_label_order(evaluation.predictions, evaluation.labels),
    )
    if evaluation.num_wrong:
        figures['mistakes'] = _draw_mistakes(shown, batches, model)
    else:
        left_out.append('mistakes: there are none')
    why = 'an ensemble has many' if model is None else 'this network has none'
    if model is None or not model.reconstructs:
        left_out.append(f'masked_reconstructions, perturbation_*: {why}: decoder')
    else:
        figures['masked_reconstructions'] = _draw_masked(shown, batches, model)
        if with_perturbations:
            figures |= _draw_perturbations(shown, batches, model, left_out)
    changes = None if model is None else _draw_logit_changes(shown, batches, model)
    if changes is None:
        left_out.append(f'routing_logits: {why}: class capsules')
    else:
        figures['routing_logits'] = changes
    return Drawn(figures, left_out)


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
    title = (
        f'{evaluation.num_wrong:,} of {evaluation.num_examples:,} examples wrong '
        f'({evaluation.wrong_percent:.3g} %)'
    )
    return draw.draw_confusion(choose.confusion_matrix(evaluation), title, evaluation.class_names)


def _draw_mistakes(shown: Evaluation, batches: tf.data.Dataset, model: Model | None) -> Figure:
    chosen = choose.most_confident_mistakes(shown, MISTAKES)
    missed, invented = choose.confused_scores(shown)
    arrow = ' →\n' if shown.class_names else ' → '
    titles = [
        f'{_name(shown, shown.labels[index])}{arrow}{_name(shown, shown.predictions[index])}'
        f'\n{missed[index]:.2f} → {invented[index]:.2f}\nexample {index}'
        for index in chosen
    ]
    name = 'score' if model is None else model.confidence_name
    title = f'Most confident mistakes: label → prediction, with the {name} of the class'
    return draw.draw_strips(_strips(shown, batches, model, chosen), titles, title)


def _draw_masked(shown: Evaluation, batches: tf.data.Dataset, model: Model) -> Figure:
    found = np.flatnonzero(~choose.is_wrong(shown))[:FOUND]
    chosen = np.concatenate([found, choose.most_confident_mistakes(shown, CONFUSED)])
    neither = choose.neither_class(shown)[chosen]
    rows = {'label': shown.labels[chosen], 'predicted': shown.predictions[chosen]}
    # Label and prediction may be all classes there are.
    has_others = shown.scores.shape[1] > 2 * shown.labels.shape[1]
    if has_others:
        rows['other'] = neither[:, None]
    between = '\n' if shown.class_names else ' '
    titles = [
        '\n'.join(f'{row}{between}{_name(shown, rows[row][number])}' for row in rows)
        for number in range(len(chosen))
    ]
    title = 'Reconstructions from one class capsule each, the others set to zero'
    if shown.labels.shape[1] > 1:
        title += '\nfirst target blue, second orange; other class orange'
    strips = _strips(shown, batches, model, chosen, neither if has_others else None)
    return draw.draw_strips(strips, titles, title)


def _draw_perturbations(
    shown: Evaluation, batches: tf.data.Dataset, model: Model, left_out: list[str]
) -> dict[str, Figure]:
    examples, drawn = choose.examples_of_classes(shown), {}
    classes = range(shown.scores.shape[1])
    absent = [shown.name_classes([number]) for number in classes if number not in examples]
    if absent:
        names = ', '.join(absent[:MOST_PERTURBED]) + ' and more' * (len(absent) > MOST_PERTURBED)
        left_out.append(f'perturbation of class {names}: no example whose targets were found')
    if len(examples) > MOST_PERTURBED:
        left_out.append(f'perturbation of {len(examples) - MOST_PERTURBED} further classes')
        examples = dict([*examples.items()][:MOST_PERTURBED])
    if not examples:
        return {}
    features = choose.gather_examples(batches, np.array(list(examples.values())))
    routed: Any = model.route(tf.constant(features['images']))  # of a network that decodes
    for number, own in zip(examples, routed.activation.numpy(), strict=True):
        tiles = displayable(choose.decode_perturbations(model, own, number))
        name = draw.shorten(shown.name_classes([number]), 30)
        title = f'Class {name}: reconstructions while one dimension of its capsule changes'
        drawn[f'perturbation_{number}'] = draw.draw_perturbations(tiles, choose.OFFSETS, title)
    return drawn


def _draw_logit_changes(shown: Evaluation, batches: tf.data.Dataset, model: Model) -> Figure | None:
    count = min(ROUTED_EXAMPLES, shown.num_examples)
    images = choose.gather_examples(batches, np.arange(count))['images']
    changes = choose.measure_logit_changes(model, images, ROUTING_ITERATIONS)
    if changes is None:
        return None
    title = (
        f'How far routing logits move after {int(model.step.numpy()):,} training steps\n'
        f'Mean over {count} images; where routing settles, less at every iteration'
    )
    return draw.draw_logit_changes(changes, model.hparams.routing, title)


def _strips(
    shown: Evaluation,
    batches: tf.data.Dataset,
    model: Model | None,
    chosen: np.ndarray,
    neither: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Inputs and, with a decoder, what it draws of chosen examples' targets, and of `neither`."""
    features = choose.gather_examples(batches, chosen)
    labels = features['target_labels']
    strips = {'input': displayable(features['images'])}
    if labels.shape[1] > 1:
        strips['targets'] = overlay(displayable(features['target_images']))
    if model is None or not model.reconstructs:
        return strips
    rows = {'by label': labels, 'by prediction': shown.predictions[chosen]}
    if neither is not None:
        rows['by other class'] = np.concatenate([labels[:, :-1], neither[:, None]], axis=1)
    routed: Any = model.route(tf.constant(features['images']))  # of a network that decodes
    for name, classes in rows.items():
        images = choose.decode_capsules(model, routed.activation, classes)
        strips[name] = overlay(displayable(images))
    return strips


def _name(shown: Evaluation, classes: Iterable[int]) -> str:
    return draw.shorten(shown.name_classes(classes), NAME_LETTERS)
