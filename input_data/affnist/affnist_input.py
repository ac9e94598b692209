"""Reads affNIST for evaluation: the official MATLAB files or the stand-in of affnist_make.py.

The paper trains on MNIST placed anywhere on 40x40 pixels and tests on affNIST without having seen
any other transformation (section 5.1).
"""

import dataclasses
import os
import re

import numpy as np
import tensorflow as tf

from input_data import batching
from input_data.affnist import raw, standin
from input_data.errors import DataError
from input_data.mnist import mnist_input_record
from input_data.records import paths as record_paths
from input_data.records import read
from input_data.records.frames import RecordFiles
from input_data.request import DatasetInfo, InputRequest

raw_images = mnist_input_record.raw_images
EVAL_SIZE = 320_000  # the official test set: 32 transformations of each MNIST test digit
OFFICIAL_NAMES = {
    'test': ('test.mat', 'test_batches'),
    'train': (
        'training_and_validation.mat',
        'training_and_validation_batches',
        'training.mat',
        'training_batches',
    ),
}


def inputs(request: InputRequest) -> tuple[tf.data.Dataset, DatasetInfo]:
    """Batches of 40x40 digits, pixels in [0, 1]; `DatasetInfo.note` says which set they are of.

    Official files come before the stand-in where a directory has both. See `input_data.inputs`
    for the batches.

    Raises:
      DataError: if files are missing, damaged or of another kind, or the request is not for plain
        single digits.
    """
    paths = find(request)
    if not paths[0].endswith('.mat'):
        batches, info = mnist_input_record.inputs(_standin_request(request, paths[0]))
        note = 'stand-in for affNIST made from MNIST (not the official set)'
        return batches, dataclasses.replace(info, note=note)
    examples = batching.hold(_read(paths, request.limit))
    names = [os.path.basename(path) for path in paths]
    note = f'affNIST (official {" to ".join(dict.fromkeys((names[0], names[-1])))})'
    info = DatasetInfo(raw.SIDE, raw.SIDE, 1, raw.NUM_CLASSES, note=note)
    return batching.cut(
        examples, request, info, lambda batch: mnist_input_record.to_features(batch.raw, info)
    )


def check(request: InputRequest) -> None:
    """Raises DataError that names the first broken example, or its file."""
    paths = find(request)
    if paths[0].endswith('.mat'):
        for path in paths:
            raw.read(path)
    else:
        mnist_input_record.check(_standin_request(request, paths[0]))


def find(request: InputRequest) -> list[str]:
    """The files of a request: MATLAB files in order, or the one file of the stand-in.

    `data_dir` is a file, a directory with test.mat, test_batches/ or the stand-in (for training:
    training.mat and so on), or a directory of batches 1.mat, 2.mat, ...

    Raises:
      DataError: if there are none, some batches are missing, or the request cannot be for affNIST.
    """
    request.check_targets('affnist')
    if request.validate:
        raise DataError(
            '--validate: affNIST is for testing, it has no training set to hold out a part of; '
            'expected --dataset=mnist with 40x40 records'
        )
    if not os.path.isdir(request.data_dir):
        return record_paths.resolve(request.data_dir, ())
    names = [*OFFICIAL_NAMES[request.split], '']  # '': batches in the directory itself
    names += [standin.FILE_NAME] * (request.split == 'test')
    for name in names:
        path = os.path.join(request.data_dir, name) if name else request.data_dir
        if os.path.isfile(path):
            return [path]
        if batches := _batches(path):
            return batches
    wanted = ' or '.join(name or '1.mat' for name in names)
    raise DataError(f'--data_dir={request.data_dir}: found no {wanted} in this directory')


def _batches(directory: str) -> list[str]:
    """The batches 1.mat, 2.mat, ... of a directory, in order of their numbers."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    numbers = sorted(int(name[:-4]) for name in names if re.fullmatch(r'[1-9]\d*\.mat', name))
    for expected, number in enumerate(numbers, 1):
        if number != expected:
            raise DataError(f'{directory}: found {number}.mat; expected {expected}.mat before it')
    return [os.path.join(directory, f'{number}.mat') for number in numbers]


def _read(paths: list[str], limit: int | None) -> dict[str, np.ndarray]:
    """Examples of MATLAB files, the first `limit` of all."""
    parts, count = [], 0
    for path in paths:
        parts.append(raw.read(path, None if limit is None else limit - count))
        count += len(parts[-1][1])
        if count == limit:
            break
    images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    return {'image_raw': images, 'labels': labels[:, None]}


def _standin_request(request: InputRequest, path: str) -> InputRequest:
    """What to ask the reader of records for; the file is a stand-in and not for training."""
    if standin.MARK not in read.first_example(RecordFiles([path])).features.feature:
        raise DataError(
            f"{path}: found records that are not affNIST's; expected the official MATLAB files "
            'or what affnist_make.py writes (--dataset=mnist reads other records)'
        )
    if request.split == 'train':
        raise DataError(
            f'{path}: found test digits; expected training data (expanded MNIST: --dataset=mnist '
            'with 40x40 records)'
        )
    return dataclasses.replace(request, data_dir=path)
