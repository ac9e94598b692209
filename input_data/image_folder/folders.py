"""Folders of classes: which files there are, and which of them are held out.

A file is held out by a hash of its class and name alone. So training and evaluation agree on it
whatever their seeds, and a file that is added moves no other.
"""

import hashlib
import os
from typing import NamedTuple

from input_data.errors import DataError
from input_data.request import InputRequest

HELD_OUT = 6  # one file in so many, as MNIST's test set and validation set
MOST_CLASSES = 4096  # that a network is built for
PARTS = ('train', 'test')

Files = dict[str, list[str]]  # paths by class, both sorted


class Listing(NamedTuple):
    """The files of a request."""

    class_names: tuple[str, ...]
    files: Files  # to read
    all_paths: list[str]  # of all parts: training and evaluation shall see colours alike
    note: str  # how many are held out for what, in words


def list_files(request: InputRequest) -> Listing:
    """Lists `data_dir/train/CLASS/*` and `data_dir/test/CLASS/*`, or `data_dir/CLASS/*`.

    Names that start with a dot do not count. Of the second kind, and of the training set with
    `request.validate`, one file in HELD_OUT is held out.

    Raises:
      DataError: if there are no such folders, fewer than two classes, a class without a file or
        only in test/, or nothing that is held out.
    """
    folder, note = request.data_dir, ''
    if not os.path.isdir(folder):
        raise DataError(f'--data_dir={folder}: found no folder; expected one of class folders')
    parts = [part for part in PARTS if _list_folders(os.path.join(folder, part))]
    if len(parts) == 1:
        [absent] = {*PARTS} - {*parts}
        raise DataError(
            f'--data_dir={folder}: found class folders in {parts[0]}/ and none in {absent}/; '
            'expected them in both, or in neither: then a share is held out for testing'
        )
    if parts:
        train, test = (_list_classes(os.path.join(folder, part)) for part in PARTS)
        _check_classes(train, os.path.join(folder, 'train'))
        if unknown := test.keys() - train.keys():
            path = os.path.join(folder, 'test', min(unknown))
            raise DataError(f'{path}: found a class that train/ has not; expected one of its')
        test = {name: test.get(name, []) for name in train}
    else:
        classes = _list_classes(folder)
        _check_classes(classes, folder)
        train, test, note = _hold_out(classes, 'testing')
    all_paths = [path for paths in (*train.values(), *test.values()) for path in paths]
    if request.validate:
        train, test, note = _hold_out(train, 'validation')
    files = train if request.split == 'train' else test
    if not any(files.values()):
        raise DataError(
            f'--data_dir={folder}: found {len(all_paths)} files and none to evaluate; expected '
            f'some in test/, or so many that one in {HELD_OUT} is held out'
        )
    return Listing(tuple(train), files, all_paths, note)


def _list_visible(folder: str) -> list[str]:
    """Names in a folder that do not start with a dot, sorted."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith('.'))
    except OSError as error:
        raise DataError(f'{folder}: {error.strerror}; expected a readable folder') from error


def _list_folders(folder: str) -> list[str]:
    """Names of the folders in a folder; none where it is no folder."""
    names = _list_visible(folder) if os.path.isdir(folder) else []
    return [name for name in names if os.path.isdir(os.path.join(folder, name))]


def _list_classes(folder: str) -> Files:
    paths = {name: os.path.join(folder, name) for name in _list_folders(folder)}
    return {
        name: [os.path.join(path, file) for file in _list_visible(path)]
        for name, path in paths.items()
    }


def _check_classes(classes: Files, folder: str) -> None:
    found = ', '.join(list(classes)[:3]) or 'none'
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f'{folder}: found {len(classes)} class folders ({found}); expected 2 to {MOST_CLASSES}'
        )
    for name, paths in classes.items():
        path = os.path.join(folder, name)
        if not paths:
            raise DataError(f'{path}: found an empty class folder; expected pictures')
        if not name.isprintable():  # bytes that are no UTF-8 neither
            raise DataError(f'{path!a}: found a name that cannot be printed; expected one that can')


def _hold_out(classes: Files, purpose: str) -> tuple[Files, Files, str]:
    """The files that stay, those that are held out, and how many these are, in words.

    Each class keeps at least one.
    """
    stay: Files = {}
    for name, paths in classes.items():
        hashes = {path: _hash(purpose, name, os.path.basename(path)) for path in paths}
        stay[name] = [path for path in paths if hashes[path] % HELD_OUT]
        stay[name] = stay[name] or sorted(paths, key=hashes.__getitem__)[:1]
    kept = {path for paths in stay.values() for path in paths}
    held = {name: [path for path in paths if path not in kept] for name, paths in classes.items()}
    total = sum(map(len, classes.values()))
    note = f'(held out {total - len(kept)} of {total} pictures for {purpose})'
    return stay, held, note


def _hash(*names: str) -> int:
    """A number that stands for names, on any system and at any time."""
    return int.from_bytes(hashlib.sha256(os.fsencode('/'.join(names))).digest()[:8], 'little')
