"""What the page's sliders need: the decoder's weights and a class capsule of each digit."""

import base64
from typing import Any

import numpy as np

import layers
from jobs.visualization import report_images
from jobs.visualization.report_examples import Example
from models import Model

REACH = 0.25  # how far a slider moves a dimension either way (paper Section 5.1)
MAX_BYTES = 9_000_000  # of weights as float16: a page of 12 MB, base64 being a third longer


def content(model: Model, examples: dict[int, Example]) -> dict[str, Any] | None:
    """Everything the page's script computes with, fit for JSON; None if it would be too large.

    None, too, of a decoder that the script does not know.

    Weights are little-endian float16 in base64, [inputs, outputs] row-major, as in the layers.

    Args:
      model: with a decoder.
      examples: one for each button, by the class whose capsule it moves.
    """
    if not isinstance(model.decoder, layers.Decoder):
        return None
    stages = model.decoder.stages
    if 2 * sum(stage.kernel.shape[0] * stage.kernel.shape[1] for stage in stages) > MAX_BYTES:
        return None
    return {
        'height': model.info.height,
        'width': model.info.width,
        'depth': model.info.depth,
        'stages': [
            {'weights': _half(stage.kernel), 'biases': _half(stage.bias)} for stage in stages
        ],
        'digits': [
            {
                'label': label,
                'index': example.index,
                'capsule': example.capsules[label].tolist(),
                'image': report_images.png(example.image),
            }
            for label, example in examples.items()
        ],
    }


def _half(variable) -> str:
    values = np.asarray(variable.value.numpy(), '<f2')
    return base64.b64encode(values.tobytes()).decode()
