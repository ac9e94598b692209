"""Which record files --data_dir means."""

import glob
import os
import re
from collections.abc import Sequence

from input_data.errors import DataError

_MOST_SHARDS = 99_999


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
            path = os.path.join(data_dir, name)
            found = sorted(glob.glob(path)) or sorted(glob.glob(f'{path}-?????-of-?????'))
            if found:
                return _whole_sets(found, data_dir)
        wanted = ' or '.join(default_names)
        raise DataError(f'--data_dir={data_dir}: found no {wanted} in this directory')
    if os.path.isfile(data_dir):
        return [data_dir]
    sharded = re.fullmatch(r'(.+)@(\d+)', data_dir)
    if sharded:
        prefix, digits = sharded[1], sharded[2]
        count = int(digits) if len(digits) < 10 else _MOST_SHARDS + 1
        if not 1 <= count <= _MOST_SHARDS:
            raise DataError(
                f'--data_dir={data_dir}: expected 1 to {_MOST_SHARDS} shards, found {digits}'
            )
        files = [f'{prefix}-{shard:05d}-of-{count:05d}' for shard in range(count)]
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
    matches = (re.fullmatch(r'(.+)-(\d{5})-of-(\d{5})', path) for path in files)
    names = [match for match in matches if match]
    if len(names) < len(files):
        return files
    sets = {(name[1], int(name[3])) for name in names}
    if len(sets) > 1:
        listed = ', '.join(f'{prefix}@{count}' for prefix, count in sorted(sets))
        raise DataError(f'--data_dir={data_dir}: found several sets of shards, name one: {listed}')
    prefix, count = next(iter(sets))
    return resolve(f'{prefix}@{count}', ())
