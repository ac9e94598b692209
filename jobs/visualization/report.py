"""Writes report.html: one page that shows a run, with nothing outside it."""

import base64
import hashlib
import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import layers
from common import files
from jobs.evaluation.scoring import Evaluation
from jobs.run import Run
from jobs.visualization import choose, draw
from jobs.visualization.figures import Drawn
from jobs.visualization.images import displayable, embed_png, encode_png
from models import Model

TEMPLATES = pathlib.Path(__file__).parent / 'templates'
HEADINGS = {  # of the figures that the page shows, in its order
    'curves': 'Curves',
    'confusion_matrix': 'Confusion matrix',
    'mistakes': 'Most confident mistakes',
    'masked_reconstructions': 'Reconstructions',
    'routing_logits': 'Routing',
}
MAX_BYTES = 9_000_000  # of weights as float16: a page of 12 MB, base64 being a third longer


def write_report(
    run: Run,
    model: Model,
    batches: tf.data.Dataset,
    evaluation: Evaluation,
    drawn: Drawn,
    checkpoint: str,
) -> str:
    """Writes the run's `test/report.html`, whole or not at all, and returns its path.

    Args:
      run: with config.json.
      model: with the weights that were evaluated.
      batches: the feature batches that were evaluated.
      evaluation: what came of it.
      drawn: figures of it.
      checkpoint: path of the weights.
    """
    page = render_page(
        {
            'title': f'Report of {os.path.normpath(run.folder)}',
            'result': evaluation.line(),
            'examples': f'{evaluation.num_examples:,} test examples {model.info.note}'.strip(),
            'loss': evaluation.loss,
            'step': int(model.step.numpy()),
            'checkpoint': checkpoint,
            'panel': _panel(model, batches, evaluation) if model.reconstructs else None,
            'has_decoder': model.reconstructs,
            'figures': [
                (name, heading, _title(figure), embed_png(draw.encode_figure(figure)))
                for name, heading in HEADINGS.items()
                if (figure := drawn.figures.get(name))
            ],
            'left_out': drawn.left_out,
            'configuration': _configuration(run.config or {}),
        }
    )
    with files.replacing(run.report_path) as [temporary]:
        temporary.write_text(page, encoding='utf-8')
    return run.report_path


def render_page(content: dict[str, Any]) -> str:
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
    # Markup: both are files of ours.
    own = {'policy': policy, 'style': Markup(style), 'script': Markup(script)}  # noqa: S704
    return environment.get_template('report.html.jinja').render(**content, **own)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _panel(model: Model, batches: tf.data.Dataset, evaluation: Evaluation) -> dict[str, Any] | None:
    """Everything the sliders' script computes with, fit for JSON.

    None if it would be too large, and of a decoder that the script does not know.
    """
    if not isinstance(model.decoder, layers.Decoder):
        return None
    stages, info = model.decoder.stages, model.info
    if 2 * sum(stage.kernel.shape[0] * stage.kernel.shape[1] for stage in stages) > MAX_BYTES:
        return None
    of_any = evaluation._replace(predictions=evaluation.labels)
    # An example that was recognised, where there is one.
    chosen = choose.examples_of_classes(of_any) | choose.examples_of_classes(evaluation)
    images = choose.gather_examples(batches, np.array(list(chosen.values())))['images']
    routed: Any = model.route(tf.constant(images))  # of a network that decodes
    capsules = routed.activation.numpy()
    return {
        'height': info.height,
        'width': info.width,
        'depth': info.depth,
        'canvas_width': info.width * (1 if info.depth == 3 else info.depth),
        'atoms': capsules.shape[-1],
        'reach': choose.OFFSETS[-1],
        'stages': [
            {'weights': _half(stage.kernel), 'biases': _half(stage.bias)} for stage in stages
        ],
        'digits': [
            {
                'label': int(label),
                'name': evaluation.name_classes([label]),
                'index': index,
                'capsule': capsule[label].tolist(),
                'image': embed_png(encode_png(np.round(255 * displayable(image)).astype(np.uint8))),
            }
            for (label, index), image, capsule in zip(chosen.items(), images, capsules, strict=True)
        ],
    }


def _half(variable) -> str:
    """[inputs, outputs] as little-endian float16 in base64, row-major."""
    return base64.b64encode(variable.numpy().astype('<f2').tobytes()).decode()


def _title(figure: Figure) -> str:
    return figure.get_suptitle() or figure.axes[0].get_title()


def _configuration(config: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """config.json as tables: those of its parts that have names and values, then the rest."""
    tables = {name: part for name, part in config.items() if isinstance(part, dict)}
    tables['run'] = {name: part for name, part in config.items() if name not in tables}
    return [
        (name, [(key, str(value)) for key, value in part.items() if value not in (None, '', [])])
        for name, part in tables.items()
    ]
