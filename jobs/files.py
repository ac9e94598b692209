"""Files that are there whole or not at all."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def replacing(path: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a path beside `path` to write to; renames it to `path` when all went well."""
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f'{target.name}.{os.getpid()}.tmp')
    try:
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: str | pathlib.Path, content: Any) -> None:
    """Writes JSON, whole or not at all; makes the directory."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + '\n')
