"""Writes report.html: one page that shows a run, with nothing outside it."""

import base64
import hashlib
import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.run import Run
from jobs.visualization import choose, report_curves, report_examples, report_images, report_panel
from jobs.visualization.report_examples import Example
from models import Model

TEMPLATES = pathlib.Path(__file__).parent / 'templates'
MOST_MISTAKES = 24
SHADES = 5  # of a cell of the confusion matrix; see report.css


def write(
    run: Run,
    model: Model,
    batches: tf.data.Dataset,
    evaluation: Evaluation,
    checkpoint: str,
) -> str:
    """Writes the run's `test/report.html`, whole or not at all.

    Args:
      run: with config.json and event files.
      model: with the weights that were evaluated.
      batches: the feature batches that were evaluated.
      evaluation: what came of it.
      checkpoint: path of the weights.

    Returns:
      The path of the page.
    """
    confidence = model.confidences(evaluation.scores)
    mistakes = report_examples.mistakes(evaluation, confidence, MOST_MISTAKES)
    chosen = report_examples.of_classes(evaluation)
    indices = {*chosen.values(), *(mistake.index for mistake in mistakes)}
    examples = report_examples.collect(model, batches, evaluation, indices)
    of_classes = {label: examples[index] for label, index in chosen.items()}
    results = evaluation.labels, evaluation.predictions
    panel, no_panel = _panel(model, of_classes)
    content = {
        'title': f'Report of {os.path.normpath(run.folder)}',
        'result': evaluation.line(),
        'num_examples': evaluation.num_examples,
        'loss': evaluation.loss,
        'step': int(model.step.numpy()),
        'checkpoint': checkpoint,
        'panel': panel,
        'no_panel': no_panel,
        'canvas_width': model.info.width * (1 if model.info.depth == 3 else model.info.depth),
        'atoms': len(panel['digits'][0]['capsule']) if panel else 0,
        'reach': report_panel.REACH,
        'curves': report_curves.draw(run.train_dir, run.test_dir),
        'confusion': _shaded(choose.confusion_matrix(*results, model.info.num_classes)),
        'has_decoder': model.reconstructs,
        'confidence_name': model.confidence_name,
        'mistakes': [
            _figure(
                model,
                examples[mistake.index],
                (mistake.missed, mistake.found),
                f'{mistake.missed} ({mistake.doubt:.2f}) taken for {mistake.found} '
                f'({mistake.confidence:.2f}), example {mistake.index}',
            )
            for mistake in mistakes
        ],
        'reconstructions': [
            _figure(model, example, example.labels, _names(example))
            for example in of_classes.values()
        ],
        'configuration': _configuration(run.config or {}),
    }
    with files.replacing(run.report_path) as [temporary]:
        temporary.write_text(render(content), encoding='utf-8')
    return run.report_path


def render(content: dict[str, Any]) -> str:
    """The page as text. Only its own style and script may run, by the page's own policy."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    style, script = ((TEMPLATES / f'report.{kind}').read_text('utf-8') for kind in ('css', 'js'))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f'style-src {_hash(style)}; script-src {_hash(script)}'
    )
    own = {'policy': policy, 'style': Markup(style), 'script': Markup(script)}
    return environment.get_template('report.html.jinja').render(**content, **own)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _panel(model: Model, examples: dict[int, Example]) -> tuple[dict[str, Any] | None, str]:
    """What the sliders need, or why there are none."""
    if not model.reconstructs:
        return None, 'This network has no decoder, so there is nothing to draw.'
    panel = report_panel.content(model, examples)
    return panel, 'The decoder of this network is too large for a page, or none of dense layers.'


def _shaded(counts: np.ndarray) -> list[list[dict[str, Any]]]:
    """Cells of the confusion matrix; the shade grows with the share of the row."""
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    rows = []
    for label, row in enumerate(counts.tolist()):
        cells = []
        for column, count in enumerate(row):
            share = shares[label, column]
            # Mistakes are rare: a tenth of a row is much.
            level = share if column == label else min(1, 10 * share)
            kind = 'right' if column == label else 'wrong'
            shade = f'{kind}-{max(1, int(np.ceil(SHADES * level)))}' if count else 'zero'
            cells.append({'count': f'{count:g}', 'shade': shade})
        rows.append(cells)
    return rows


def _figure(
    model: Model, example: Example, classes: tuple[int, ...], caption: str
) -> dict[str, Any]:
    images = [example.image, *report_examples.draw(model, example, classes)]
    return {'caption': caption, 'pictures': [report_images.png(image) for image in images]}


def _names(example: Example) -> str:
    labels, predictions = (
        ' and '.join(map(str, sorted(classes))) for classes in (example.labels, example.predictions)
    )
    taken = '' if labels == predictions else f' taken for {predictions}'
    return f'{labels}{taken}, example {example.index}'


def _configuration(config: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """config.json as tables: those of its parts that have names and values, then the rest."""
    tables = [(name, part) for name, part in config.items() if isinstance(part, dict)]
    rest = {name: part for name, part in config.items() if not isinstance(part, dict)}
    return [
        (name, [(key, 'not given' if value is None else str(value)) for key, value in part.items()])
        for name, part in [*tables, ('run', rest)]
    ]
