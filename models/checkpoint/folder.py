"""The folder of checkpoints: which there are, the `checkpoint` file, unfinished files."""

import pathlib
from collections.abc import Sequence

from common import files

PREFIX = 'model.ckpt'


def steps(directory: str | pathlib.Path) -> list[int]:
    """Steps of the complete checkpoints in a directory, lowest first."""
    found = pathlib.Path(directory).glob(f'{PREFIX}-*.index')
    digits = (path.name[len(PREFIX) + 1 : -len('.index')] for path in found)
    return sorted(int(step) for step in digits if step.isdecimal())


def latest(directory: str) -> str | None:
    """Path of the newest complete checkpoint in a directory, or None."""
    known = steps(directory)
    return path_of(directory, known[-1]) if known else None


def path_of(directory: str, step: int) -> str:
    """Path of the checkpoint of a step."""
    return str(pathlib.Path(directory) / f'{PREFIX}-{step}')


def named_step(path: str) -> int | None:
    """The step that the name of a checkpoint says."""
    _, _, digits = path.rpartition(f'{PREFIX}-')
    return int(digits) if digits.isdecimal() else None


def tidy(directory: str) -> None:
    """Clears up after a `save` that was cut off; call where nobody else saves.

    Removes files that were never finished, and names the newest checkpoint in `checkpoint`.

    Raises:
      OSError: if the directory cannot be written.
    """
    remove_unfinished(directory)
    if known := steps(directory):
        write_state(directory, known)


def write_state(directory: str, steps: Sequence[int]) -> None:
    """Writes the `checkpoint` file, a CheckpointState message as text; the newest step is last."""
    lines = [f'model_checkpoint_path: "{PREFIX}-{steps[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{PREFIX}-{step}"' for step in steps]
    with files.replacing(pathlib.Path(directory) / 'checkpoint') as [temporary]:
        temporary.write_text('\n'.join(lines) + '\n')


def remove_unfinished(directory: str) -> None:
    """Removes what TensorFlow never finished and has no name of its own yet."""
    for part in pathlib.Path(directory).glob(f'{PREFIX}-*.tempstate*'):
        if part.is_file():
            part.unlink(missing_ok=True)


def remove_up_to(directory: str, last: int) -> None:
    """Removes all checkpoints up to a step, with what an earlier, cut off removal left of them."""
    # Index before data: what is cut off here leaves no checkpoint that seems complete.
    for part in sorted(pathlib.Path(directory).glob(f'{PREFIX}-*.*'), reverse=True):
        step = part.name[len(PREFIX) + 1 :].partition('.')[0]
        if step.isdecimal() and int(step) <= last:
            part.unlink(missing_ok=True)
