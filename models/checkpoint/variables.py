"""Reads and writes the release's checkpoint files, by variable name.

A checkpoint is `model.ckpt-STEP.index` and `.data-00000-of-00001` in TensorFlow's V2 format,
beside the `checkpoint` state file that names the newest. It holds every trained variable under
its released name, Adam's moments as NAME/Adam and NAME/Adam_1, and the float32 scalars
beta1_power, beta2_power and global_step.
"""

import itertools
import pathlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from common.errors import UserError, drop_marks
from models import optimizer
from models.checkpoint import folder, index_guard
from models.model import Model

FIRST_MOMENT, SECOND_MOMENT = 'Adam', 'Adam_1'
LARGEST_STEP = 1 << 53  # what floating-point numbers count to
# What TensorFlow's reader raises for damaged files, depending on what it stumbles over.
READ_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


class CheckpointError(UserError):
    """A checkpoint is missing, damaged or of another model; one line that names the file."""


class MismatchError(CheckpointError):
    """A checkpoint is good, but of another network."""


def save(directory: str, model: Model, step: int, keep: int = 0) -> str:
    """Writes `model.ckpt-STEP` into `directory` and makes it the newest.

    The index file is written last and by renaming: a checkpoint is there whole or not at all.

    Args:
      directory: made if missing.
      model: what to save; under a strategy, the first replica's copy.
      step: training steps made so far.
      keep: how many of the newest checkpoints to keep; 0 keeps all.

    Returns:
      The checkpoint's path, without the endings of its files.

    Raises:
      OSError: if the directory cannot be made or written.
    """
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    path = folder.path_of(directory, step)
    tensors = _tensors(model, step)
    try:
        tf.raw_ops.SaveV2(
            prefix=path,
            tensor_names=list(tensors),
            shape_and_slices=[''] * len(tensors),
            tensors=list(tensors.values()),
        )
    except tf.errors.OpError as error:
        folder.remove_unfinished(directory)
        raise OSError(f'{path}: cannot be written: {_first_line(error)}') from error
    older = [known for known in folder.steps(directory) if known < step]
    dropped = older[: max(0, len(older) + 1 - keep)] if keep else []
    folder.write_state(directory, [*older[len(dropped) :], step])
    if dropped:
        folder.remove_up_to(directory, dropped[-1])
    return path


def restore(path: str, model: Model, with_moments: bool = True) -> int:
    """Sets the model's variables from a checkpoint and returns its step.

    Args:
      path: as `save` returned it, or that of a released file.
      model: a built model; unchanged if anything is wrong.
      with_moments: whether to set Adam's moments too. A file without them (a released one for
        evaluation, say) leaves the moments at zero.

    Raises:
      CheckpointError: if there is no such checkpoint, it cannot be read, or its variables are
        not those of the model.
    """
    reader = _open(path)
    shapes = reader.get_variable_to_shape_map()
    targets = model.tf_variables()
    has_moments = with_moments and all(f'{name}/{FIRST_MOMENT}' in shapes for name in targets)
    _check_match(path, shapes, model, targets)
    if has_moments:
        moments = _moments(model)
        _check_match(path, shapes, model, moments)
        targets |= moments
    values = {name: _read_finite(reader, path, name) for name in targets}
    step = step_of(path)
    for name, variable in targets.items():
        variable.assign(values[name].reshape(variable.shape))
    if with_moments and not has_moments:
        for moment in _moments(model).values():
            moment.assign(tf.zeros_like(moment))
    model.step.assign(step)
    return step


def check_name(path: str) -> None:
    """Raises CheckpointError unless a checkpoint holds the step that its name says."""
    step, named = step_of(path), folder.named_step(path)
    if step != named:
        raise CheckpointError(
            f'checkpoint {path}: found global_step {step}; expected {named}, as it is named'
        )


def step_of(path: str) -> int:
    """The step of a checkpoint; 0 where it does not say.

    The float32 of the file counts to 2^24; from there on the name says which step it is near to.

    Raises:
      CheckpointError: if there is no such checkpoint or it cannot be read.
    """
    reader = _open(path)
    if not reader.has_tensor('global_step'):
        return 0
    step = _read_finite(reader, path, 'global_step')
    if step.shape or not 0 <= step < LARGEST_STEP:
        found = str(step.tolist())[:40]
        raise CheckpointError(f'checkpoint {path}: found global_step {found}; expected a step')
    named = folder.named_step(path)
    if named is not None and named < LARGEST_STEP and np.float32(named) == step:
        return named
    return int(step)


def shapes(path: str) -> dict[str, list[int]]:
    """Shapes of a checkpoint's variables, by name; raises CheckpointError as `step_of`."""
    return _open(path).get_variable_to_shape_map()


def verify(path: str) -> None:
    """Reads a checkpoint through, checksums and all.

    Raises:
      CheckpointError: if it is missing or damaged.
    """
    reader = _open(path)
    for name in reader.get_variable_to_shape_map():
        _read(reader, path, name)


def _tensors(model: Model, step: int) -> dict[str, np.ndarray | tf.Tensor]:
    """Everything a checkpoint of the model holds, by name, in released shapes."""
    beta1_power, beta2_power = optimizer.beta_powers(step)
    tensors = {
        'beta1_power': beta1_power.numpy(),
        'beta2_power': beta2_power.numpy(),
        'global_step': np.float32(step),
    }
    for name, variable in {**model.tf_variables(), **_moments(model)}.items():
        tensors[name] = tf.reshape(variable, _released_shape(model, name))
    return tensors


def _released_shape(model: Model, name: str) -> tuple[int, ...]:
    """Shape of a variable or a moment of it."""
    variable = name.removesuffix(f'/{FIRST_MOMENT}').removesuffix(f'/{SECOND_MOMENT}')
    return model.released_shape(variable)


def _moments(model: Model) -> dict[str, tf.Variable]:
    slots = itertools.product((FIRST_MOMENT, SECOND_MOMENT), model.tf_variables())
    names = [f'{name}/{slot}' for slot, name in slots]
    return dict(zip(names, model.adam.moments, strict=True))


def check_exists(path: str) -> None:
    """Raises CheckpointError unless there is a checkpoint at `path`; says what is there."""
    if not pathlib.Path(f'{path}.index').is_file():
        parent = pathlib.Path(path).parent
        others = ', '.join(f'{folder.PREFIX}-{step}' for step in folder.steps(parent)[-5:])
        found = f'newest there: {others}' if others else f'no {folder.PREFIX}-* in {parent}'
        raise CheckpointError(f'checkpoint {path}: no file {path}.index; {found}')


def _open(path: str):
    check_exists(path)
    try:
        index_guard.check(path)
        return tf.train.load_checkpoint(path)
    except OSError as error:
        raise CheckpointError(
            f'checkpoint {path}: cannot be read: {error.filename}: {error.strerror}'
        ) from error
    except READ_ERRORS as error:
        raise CheckpointError(f'checkpoint {path}: cannot be read: {_first_line(error)}') from error


def _read(reader, path: str, name: str) -> np.ndarray:
    try:
        return reader.get_tensor(name)
    except READ_ERRORS as error:
        raise CheckpointError(
            f'checkpoint {path}: {name} cannot be read: {_first_line(error)}'
        ) from error


def _read_finite(reader, path: str, name: str) -> np.ndarray:
    value = _read(reader, path, name)
    if not np.isfinite(value).all():
        raise CheckpointError(f'checkpoint {path}: {name}: found NaN or infinity; expected numbers')
    return value


def _check_match(
    path: str, found: dict[str, list[int]], model: Model, wanted: Iterable[str]
) -> None:
    for name in wanted:
        shape = _released_shape(model, name)
        if name not in found:
            trained = sorted(key for key in found if key.endswith(('weights', 'biases')))
            raise MismatchError(
                f'checkpoint {path}: has no variable {name}, which this model needs; '
                f'it holds {", ".join(trained) or "no weights at all"} '
                '(another --model, or other --hparams_override?)'
            )
        if tuple(found[name]) != shape:
            raise MismatchError(
                f'checkpoint {path}: {name} has shape {list(found[name])}, this model needs '
                f'{list(shape)} (another data set, --model or --hparams_override?)'
            )


def _first_line(error: Exception) -> str:
    """What an error says, without the marks of TensorFlow's own functions."""
    lines = drop_marks(str(error)).splitlines()
    return lines[0] if lines else type(error).__name__
