"""Which record files --data_dir means."""

import glob
import os
import re
from collections.abc import Sequence

from input_data.errors import DataError


def resolve(data_dir: str, default_names: Sequence[str]) -> list[str]:
    """The files that `--data_dir` means.

    Args:
      data_dir: a directory that holds one of `default_names` (whole, or as shards
        NAME-SSSSS-of-NNNNN), a record file, `prefix@N` for N shards, or a glob pattern.
      default_names: file names or patterns to look for in a directory, the first found wins.

    Raises:
      DataError: if there is no such file, or shards are missing.
    """
    if os.path.isdir(data_dir):
        for name in default_names:
            path = os.path.join(glob.escape(data_dir), name)
            found = sorted(glob.glob(path)) or sorted(glob.glob(f'{path}-?????-of-?????'))
            if found:
                return _whole_sets(found, data_dir)
        wanted = ' or '.join(default_names)
        raise DataError(f'--data_dir={data_dir}: found no {wanted} in this directory')
    if os.path.isfile(data_dir):
        return [data_dir]
    if sharded := re.fullmatch(r'(.+)@([1-9]\d{0,4})', data_dir):
        count = int(sharded[2])
        files = [f'{sharded[1]}-{shard:05d}-of-{count:05d}' for shard in range(count)]
        missing = [path for path in files if not os.path.isfile(path)]
        if missing:
            raise DataError(
                f'--data_dir={data_dir}: {len(missing)} of {count} shards are missing, '
                f'the first is {missing[0]}'
            )
        return files
    files = sorted(path for path in glob.glob(data_dir) if os.path.isfile(path))
    if not files:
        raise DataError(
            f'--data_dir={data_dir}: no such directory, file, pattern or set of shards (prefix@N)'
        )
    return _whole_sets(files, data_dir)


def _whole_sets(files: list[str], data_dir: str) -> list[str]:
    """Checks that sharded files are all there and belong to one set."""
    names = [re.fullmatch(r'(.+)-\d{5}-of-(\d{5})', path) for path in files]
    sets = sorted({f'{name[1]}@{int(name[2])}' for name in names if name})
    if None in names:
        return files
    if len(sets) > 1:
        listed = ', '.join(sets)
        raise DataError(f'--data_dir={data_dir}: found several sets of shards, name one: {listed}')
    return resolve(sets[0], ())
