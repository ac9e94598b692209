"""What files of others cannot do: run code.

That no module unpickles, runs text or starts a shell is ruff's to see (pyproject.toml).

Archives, names and texts of others are in escaping_test.py; files of a wrong SHA-256, which are
refused and not left, in input_data/download/download_test.py
(test_no_way_left_tells_why_and_leaves_nothing, test_other_files_are_not_overwritten).
"""

import gzip
import os
import pathlib
import pickle
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import EpsImagePlugin, Image

from common.errors import UserError
from input_data import InputRequest, image_files, inputs
from input_data.affnist import raw as affnist_raw
from input_data.cifar10 import png_batches
from input_data.cifar10 import raw as cifar10_raw
from input_data.download import fetch
from input_data.mnist import raw as mnist_raw
from input_data.norb import raw as norb_raw
from input_data.norb import testing as norb_testing
from jobs.run import Run
from jobs.visualization import curves, summaries
from models import checkpoint


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: pathlib.Path):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.fixture(scope='module')
def mark(tmp_path_factory) -> pathlib.Path:
    """What is there once a bomb has gone off."""
    return tmp_path_factory.mktemp('outside') / 'mark'


@pytest.fixture(scope='module')
def bombs(mark, tmp_path_factory) -> dict[str, bytes]:
    """Files that run code in a careless reader, by kind."""
    folder = tmp_path_factory.mktemp('bombs')
    values = np.array([Bomb(mark)], object)
    np.save(folder / 'npy', values, allow_pickle=True)
    names = [f'{name}_{part}' for name in 'xy' for part in ('train', 'test')]
    np.savez(folder / 'npz', images=values, **dict.fromkeys(names, values))
    path = str(mark)
    explode = keras.layers.Lambda(lambda x: (__import__('os').makedirs(path), x)[1])
    keras.Sequential([keras.Input([1]), explode]).save(folder / 'x.keras')
    mark.rmdir()
    return {
        'pickle': pickle.dumps(Bomb(mark)),
        'npy': (folder / 'npy.npy').read_bytes(),
        'npz': (folder / 'npz.npz').read_bytes(),
        'keras': (folder / 'x.keras').read_bytes(),
    }


@pytest.mark.parametrize('kind', ['pickle', 'npy', 'npz', 'keras'])
def test_bombs_go_off_in_careless_readers(bombs, kind, mark, tmp_path):
    path = tmp_path / 'x.keras'
    path.write_bytes(bombs[kind])
    if kind == 'keras':
        with pytest.raises(ValueError, match='safe_mode|unsafe'):
            keras.models.load_model(path)
        keras.models.load_model(path, safe_mode=False)
    elif kind == 'npz':
        np.load(path, allow_pickle=True)['images']
    else:
        np.load(path, allow_pickle=True)
    mark.rmdir()


def read_record(path):
    inputs('mnist', InputRequest(str(path), 'test'))


def read_checkpoint(path):
    for ending in ('.index', '.data-00000-of-00001'):
        shutil.copy(path, f'{path}{ending}')
    checkpoint.verify(str(path))


def read_norb(path):
    for kind in ('dat', 'cat', 'info'):
        shutil.copy(path, path.with_name(f'{norb_testing.NAMES["test"]}-{kind}.mat'))
    norb_raw.read_split(str(path.parent), 'test')


def read_cifar10(path):
    python_version = path.parent / 'cifar-10-batches-py'
    python_version.mkdir()
    shutil.copy(path, python_version / 'test_batch')
    assert cifar10_raw.find(str(path.parent), 'test') is None
    cifar10_raw.read(str(path))


def read_config(path):
    shutil.copy(path, path.with_name('config.json'))
    _ = Run(str(path.parent)).config


def read_labels(path):
    shutil.copy(path, path.with_name(png_batches.TRAIN_LABELS))
    png_batches.convert(str(path.parent))


def read_compressed(path):
    path.write_bytes(gzip.compress(path.read_bytes()))
    mnist_raw.read_idx(str(path), 1)


READERS = {
    'affnist': lambda path: affnist_raw.read(str(path)),
    'checkpoint': read_checkpoint,
    'cifar10': read_cifar10,
    'config': read_config,
    'idx': lambda path: mnist_raw.read_idx(str(path), 3),
    'idx_compressed': read_compressed,
    'image': lambda path: image_files.read_image(str(path)),
    'labels': read_labels,
    'norb': read_norb,
    'records': read_record,
    'tar': lambda path: fetch.unpack_named(str(path), 'in', ['file'], str(path.parent)),
}


@pytest.mark.parametrize('kind', ['pickle', 'npy', 'npz', 'keras'])
@pytest.mark.parametrize('reader', READERS)
def test_no_reader_runs_what_a_file_holds(bombs, reader, kind, mark, tmp_path):
    path = tmp_path / 'model.ckpt-1'
    path.write_bytes(bombs[kind])
    # KeyError: only a file of the published hash gets as far as its names.
    with pytest.raises((ValueError, KeyError)):
        READERS[reader](path)
    assert not mark.exists()


@pytest.mark.parametrize('kind', ['pickle', 'npy', 'npz', 'keras'])
def test_a_run_with_such_files_goes_on_without_them(bombs, kind, mark, tmp_path):
    path = tmp_path / 'summary_batch.npz'
    path.write_bytes(bombs[kind])
    (tmp_path / 'events.out.tfevents.1').write_bytes(bombs[kind])
    batches = tf.data.Dataset.from_tensors({'images': tf.ones([1, 2, 2, 1])})
    for _ in range(2):
        features = summaries.fixed_batch(str(path), batches)
        np.testing.assert_array_equal(features['images'], np.ones([1, 2, 2, 1]))
    assert curves.read_curves(str(tmp_path)) == {}
    assert not mark.exists()


def test_no_image_starts_a_program(mark, tmp_path, monkeypatch):
    (tmp_path / 'gs').write_text(f'#!/bin/sh\nmkdir -p "{mark}"\n')
    (tmp_path / 'gs').chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setattr(EpsImagePlugin, 'gs_binary', None)
    path = tmp_path / 'digit.png'
    path.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n')
    with pytest.raises(UserError, match='digit.png: found EPS'):
        image_files.read_image(str(path))
    assert not mark.exists()
    with pytest.raises(OSError):  # the program drew nothing, but it ran
        Image.open(path).load()
    mark.rmdir()
