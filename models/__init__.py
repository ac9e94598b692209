"""Networks by name, hyper-parameters and the released checkpoint format."""

from typing import Any

from common.errors import UserError
from models.capsule_model import CapsuleModel
from models.conv_model import BaselineModel, PaperBaselineModel
from models.hparams import HParams
from models.model import Inferred, Losses, Model

MODELS: dict[str, type[Model]] = {
    'capsule': CapsuleModel,
    'baseline': BaselineModel,
    'paper_baseline': PaperBaselineModel,
}


class ModelError(UserError):
    """A model cannot be built for these images; one line."""


def build_model(name: str, hparams: HParams, info: Any, seed: int = 0) -> Model:
    """A model with its variables built.

    Args:
      name: a key of `MODELS`.
      hparams: hyper-parameters.
      info: sizes and counts of the data set, an `input_data.DatasetInfo`.
      seed: of what the model draws while it trains (dropout); initial weights follow Keras'
        global seed.

    Raises:
      ModelError: if there is no such model, or the images are too small for its kernels.
    """
    if name not in MODELS:
        raise ModelError(f'--model: unknown model {name!r}; valid models: {", ".join(MODELS)}')
    model = MODELS[name](hparams, info, seed)
    try:
        model.build()
    except ValueError as error:
        size = f'{info.height}x{info.width}x{info.depth}'
        stride = f' with stride={hparams.stride}' if hparams.stride > 1 else ''
        reason = str(error).splitlines()[0]
        raise ModelError(f'--model={name} cannot take {size} images{stride}: {reason}') from error
    model.built = True
    return model


def describe_choices() -> str:
    """What --help tells of networks and hyper-parameters."""
    return (
        f'Networks (--model): {", ".join(MODELS)}\n'
        f'Hyper-parameters (--hparams_override=key=value,...):\n{HParams.describe()}'
    )
