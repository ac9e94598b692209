"""Files that are there whole or not at all."""

import contextlib
import io
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from common.errors import UserError
from common.replacing import has_ended


def check_directory(flag: str, path: str | pathlib.Path) -> None:
    """Looks, before anything is computed, whether files could be written into a directory.

    Args:
      flag: that leads to it, for the message, as --NAME=VALUE.
      path: need not be there yet.

    Raises:
      UserError: if it could not.
    """
    nearest = pathlib.Path(path)
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UserError(f'{flag}: found {nearest}, which is no directory; expected a directory')
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f'{flag}: {nearest} is read-only; expected a directory to write to')


def check_file(flag: str, path: str | pathlib.Path) -> None:
    """As `check_directory`, for a file."""
    if os.path.isdir(path):
        raise UserError(f'{flag}: found a directory; expected the name of a file')
    check_directory(flag, pathlib.Path(path).parent)


@contextlib.contextmanager
def replacing(path: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a path beside `path` to write to; renames it to `path` when all went well."""
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f'{target.name}.{os.getpid()}.tmp')
    try:
        yield beside
        beside.replace(target)
    except OSError as error:
        # A full disk is found while writing, where the system does not say to which file.
        error.filename = error.filename or str(target)
        raise
    finally:
        beside.unlink(missing_ok=True)


def remove_abandoned(directory: str | pathlib.Path) -> None:
    """Removes what killed processes left of `replacing` directly inside a directory."""
    for path in pathlib.Path(directory).glob('*.tmp'):
        writer = re.fullmatch(r'.+\.(\d+)\.tmp', path.name)
        if writer and has_ended(writer[1]):
            path.unlink(missing_ok=True)


def write_json(path: str | pathlib.Path, content: Any) -> None:
    """Writes JSON, whole or not at all; makes the directory."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + '\n')


def write_arrays(path: str | pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a compressed .npz, whole or not at all; makes the directory."""
    # Not straight to the file: on a full disk the archive would complain once more when it goes.
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)
    with replacing(path) as beside:
        beside.write_bytes(archive.getbuffer())
