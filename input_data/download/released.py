"""The release's own archives: records of MNIST, and checkpoints. No hash of them is known."""

import filecmp
import fnmatch
import os
import pathlib
import tarfile

import pooch

from common import files
from input_data.download import fetch
from input_data.errors import DataError

_ORIGIN = 'https://storage.googleapis.com/capsule_toronto'
ARCHIVES: dict[str, str] = {
    'released_mnist': f'{_ORIGIN}/mnist_data.tar.gz',
    'released_mnist_checkpoint': f'{_ORIGIN}/mnist_checkpoints.tar.gz',
    'released_cifar10_checkpoints': f'{_ORIGIN}/cifar_checkpoints.tar.gz',
}
# Seven checkpoints of the CIFAR-10 network with Adam's moments take 2 GB.
MOST_PACKED_BYTES = 4 << 30
MOST_UNPACKED_BYTES = 16 << 30

_FORMS = ('*.tfrecords*', 'model.ckpt-*', 'checkpoint')


def fetch_archive(address: str, data_dir: str) -> list[str]:
    """Fetches an archive and unpacks its records and checkpoints, by their paths, into `data_dir`.

    Returns:
      Paths of the files that were not there yet.

    Raises:
      DataError: the archive cannot be had, is damaged, holds no such file, or a file of that name
        holds something else (it is not overwritten).
      OSError: the folder cannot be written.
    """
    with files.temporary_folder(os.path.join(data_dir, 'download')) as folder:
        archive = os.path.join(folder, os.path.basename(address))
        print(f'Trying {address}', flush=True)
        fetch.download(address, archive, MOST_PACKED_BYTES)
        print(f'  SHA-256 {pooch.file_hash(archive)}; no known one to compare it with', flush=True)
        unpacked = {
            os.path.join(data_dir, name): os.path.join(folder, 'unpacked', name)
            for name in fetch.unpack(archive, _name_of, f'{folder}/unpacked', MOST_UNPACKED_BYTES)
        }
        if not unpacked:
            raise DataError(f'{address}: found no file of the forms {", ".join(_FORMS)}')
        missing = [path for path in unpacked if not os.path.lexists(path)]
        for path in unpacked.keys() - missing:
            if not os.path.isfile(path) or not filecmp.cmp(path, unpacked[path], shallow=False):
                raise DataError(f'{path}: found other data (it is not overwritten: move it away)')
        for path in missing:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(unpacked[path], path)
    return missing


def _name_of(member: tarfile.TarInfo) -> str | None:
    """Where a member goes; None, with a line, for what is no record or checkpoint."""
    path = pathlib.PurePosixPath(member.name)
    is_inside = not path.is_absolute() and '..' not in path.parts
    if member.isreg() and is_inside and any(fnmatch.fnmatch(path.name, form) for form in _FORMS):
        return str(path)
    if not member.isdir():
        print(f'  {member.name!r} is left out: expected a file of the forms {", ".join(_FORMS)}')
    return None
