"""What lies beside the checkpoints of a folder: the `checkpoint` file and unfinished files."""

import pathlib
from collections.abc import Sequence

from common import files

PREFIX = 'model.ckpt'
_STATE = 'checkpoint'


def write_state(folder: pathlib.Path, steps: Sequence[int]) -> None:
    """Writes the `checkpoint` file, a CheckpointState message as text, whole or not at all.

    Args:
      folder: of the checkpoints.
      steps: theirs, the newest last.

    Raises:
      OSError: if it cannot be written; the one that was there stays.
    """
    lines = [f'model_checkpoint_path: "{PREFIX}-{steps[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{PREFIX}-{step}"' for step in steps]
    with files.replacing(folder / _STATE) as [temporary]:
        temporary.write_text('\n'.join(lines) + '\n')


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what TensorFlow never finished and has no name of its own yet."""
    for part in folder.glob(f'{PREFIX}-*.tempstate*'):
        if part.is_file():
            part.unlink(missing_ok=True)


def remove_up_to(folder: pathlib.Path, last: int) -> None:
    """Removes all checkpoints up to a step, with what an earlier, cut off removal left of them."""
    # Index before data: what is cut off here leaves no checkpoint that seems complete.
    for part in sorted(folder.glob(f'{PREFIX}-*.*'), reverse=True):
        step = part.name[len(PREFIX) + 1 :].partition('.')[0]
        if step.isdecimal() and int(step) <= last:
            part.unlink(missing_ok=True)
