"""Reads the pictures of class folders, once, to where they can be taken by number."""

import io
import os
import sys
import tempfile
from typing import IO

import numpy as np
import tqdm

from common.errors import UserError, printable
from input_data import image_files
from input_data.errors import DataError
from input_data.image_folder.folders import Listing
from input_data.request import InputRequest

MEMORY_LIMIT_BYTES = 256 << 20  # more pixels lie in a file
MOST_NAMED = 10  # of the files that are passed over


def read(
    listing: Listing, request: InputRequest, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the files of a listing, those that can be read.

    Many pixels go to a file without a name, which lies where temporary files do (TMPDIR) and goes
    with the process.

    Args:
      listing: of the files.
      request: its `limit` takes files from all over the listing, not the first classes.
      shape: height, width and depth to bring pictures to.

    Returns:
      uint8 [n, *shape], an `np.memmap` where they are many, and the classes int64 [n, 1].

    Raises:
      DataError: a class to train with has no picture, there is none to evaluate, with
        `request.strict` a file is no picture, or the disk is full.
    """
    paths = [path for paths in listing.files.values() for path in paths]
    labels = np.repeat(np.arange(len(listing.files)), [*map(len, listing.files.values())])
    if request.limit is not None and request.limit < len(paths):
        chosen = np.arange(request.limit) * len(paths) // request.limit
        paths, labels = [paths[number] for number in chosen], labels[chosen]
    is_large = len(paths) * int(np.prod(shape)) > MEMORY_LIMIT_BYTES
    try:
        with tempfile.TemporaryFile() if is_large else io.BytesIO() as file:
            labels = labels[_decode(paths, shape, file, request.strict)]
            _check_found(labels, listing, request)
            if isinstance(file, io.BytesIO):
                pixels = np.frombuffer(file.getvalue(), np.uint8).reshape(-1, *shape)
            else:
                file.flush()
                pixels = np.memmap(file, np.uint8, 'r', shape=(len(labels), *shape))
    except OSError as error:  # of that file; those of pictures are told one by one
        raise DataError(
            f'{tempfile.gettempdir()}: {error.strerror or error}; expected room for all pictures '
            'as they are shown to the network (TMPDIR names another folder)'
        ) from error
    return pixels, labels[:, None]


def _decode(
    paths: list[str], shape: tuple[int, int, int], file: IO[bytes], is_strict: bool
) -> np.ndarray:
    """Writes pixels, one picture after the other; returns which files are pictures, bool [n]."""
    faults: dict[int, UserError] = {}
    results = image_files.read_images(paths, lambda image: image_files.to_picture(image, *shape))
    progress = tqdm.tqdm(results, 'reading', len(paths), unit='picture', leave=False, disable=None)
    for number, result in enumerate(progress):
        if not isinstance(result, UserError):
            file.write(result.tobytes())
        elif is_strict:
            raise DataError(f'--strict: {result}')
        else:
            faults[number] = result
    if faults:
        lines = [f'Skipped {len(faults)} of {len(paths)} files (--strict refuses them):']
        lines += [f'  {fault}' for fault in [*faults.values()][:MOST_NAMED]]
        lines += [f'  and {len(faults) - MOST_NAMED} more'] * (len(faults) > MOST_NAMED)
        print(*map(printable, lines), sep='\n', file=sys.stderr)
    return np.array([number not in faults for number in range(len(paths))], bool)


def _check_found(labels: np.ndarray, listing: Listing, request: InputRequest) -> None:
    missing = {*range(len(listing.files))} - {*labels.tolist()}
    if request.split == 'train' and missing:
        paths = [*listing.files.values()][min(missing)]
        raise DataError(
            f'{os.path.dirname(paths[0])}: found no picture in {len(paths)} files; expected one '
            'or more to train with'
        )
    if not len(labels):
        raise DataError(f'--data_dir={request.data_dir}: found no picture to evaluate')
