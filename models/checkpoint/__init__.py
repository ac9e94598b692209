"""The released checkpoint format: reading and writing its files, and the folder they lie in."""

from models.checkpoint.folder import PREFIX, latest, named_step, path_of, steps, tidy
from models.checkpoint.variables import (
    CheckpointError,
    MismatchError,
    check_exists,
    check_name,
    restore,
    save,
    shapes,
    step_of,
    verify,
)
