"""The released checkpoint format: reading and writing its files, and the folder they lie in."""

from models.checkpoint.folder import PREFIX
from models.checkpoint.variables import (
    CheckpointError,
    check_exists,
    latest,
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
    'check_exists',
    'latest',
    'path_of',
    'restore',
    'save',
    'shapes',
    'step_of',
    'steps',
    'tidy',
    'verify',
]
