"""The released checkpoint format: reading and writing its files, and the folder they lie in."""

from models.checkpoint.folder import PREFIX
from models.checkpoint.variables import (
    CheckpointError,
    MismatchError,
    check_exists,
    check_name,
    latest,
    named_step,
    path_of,
    restore,
    save,
    shapes,
    step_of,
    steps,
    tidy,
    verify,
)

__all__ = [
    'PREFIX',
    'CheckpointError',
    'MismatchError',
    'check_exists',
    'check_name',
    'latest',
    'named_step',
    'path_of',
    'restore',
    'save',
    'shapes',
    'step_of',
    'steps',
    'tidy',
    'verify',
]
