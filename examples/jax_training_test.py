"""The example for JAX: a training that was stopped goes on exactly; digits move as they should."""

import dataclasses
import functools
import re

import keras
import numpy as np
import pytest
from absl.testing import flagsaver

from input_data.mnist import testing

if keras.backend.backend() != 'jax':
    pytest.skip('needs KERAS_BACKEND=jax', allow_module_level=True)

import jax

from examples import jax_training

SETTINGS = jax_training.Settings(12, 4, 4, 'margin_paper', 3, None)


def train(folder, settings):
    """A small network on 20 digits, five steps an epoch."""
    keras.utils.set_random_seed(1)
    digits = jax_training.read_digits(str(folder), 'train')
    model = jax_training.build_network(20, 20, 2, True, types=2)
    return model, jax_training.train(model, digits, settings), digits


def test_a_training_learns_and_goes_on_where_it_was_stopped(tmp_path, capsys):
    testing.write_raw(str(tmp_path), {'train': 20, 'test': 12}, (20, 20))
    whole = train(tmp_path, SETTINGS)[1]
    told = capsys.readouterr().out
    losses = [float(loss) for loss in re.findall(r'loss ([^,]*),', told)]
    assert losses[0] > losses[1] > losses[2]
    assert re.findall(r'step (\d+)/12', told) == ['5', '10', '12']
    kept = dataclasses.replace(SETTINGS, state=str(tmp_path / 'state.npz'))
    train(tmp_path, dataclasses.replace(kept, steps=7))  # within an epoch
    model, resumed, digits = train(tmp_path, kept)
    for expected, found in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert 0 <= jax_training.count_wrong(model, resumed, digits) <= 20


def test_digits_move_by_two_pixels_at_most():
    images = np.random.default_rng(0).integers(1, 256, (1, 6, 5), np.uint8)
    expected = {move.tobytes() for move in testing.all_shifts(images, 2)[0]}
    many = np.repeat(images[..., None], 500, axis=0)
    moved = np.asarray(jax_training.shift_digits(jax.random.key(0), many))
    assert {image.tobytes() for image in moved} == expected


def test_the_program(tmp_path, monkeypatch, capsys):
    small = functools.partial(jax_training.build_network, types=2)
    monkeypatch.setattr(jax_training, 'build_network', small)
    with flagsaver.flagsaver(data_dir=str(tmp_path), steps=1, batch_size=4):
        with pytest.raises(SystemExit, match='found no train-images-idx3-ubyte; expected it'):
            jax_training.main([])
        testing.write_raw(str(tmp_path), {'train': 8, 'test': 12}, (20, 20))
        jax_training.main([])
        with flagsaver.flagsaver(state=str(tmp_path / 'state.npz'), remake=False):
            jax_training.main([])
        with (
            flagsaver.flagsaver(state=str(tmp_path / 'state.npz')),
            pytest.raises(SystemExit, match='state.npz: found another network; expected that of'),
        ):
            jax_training.main([])
    assert re.search(r'\nTest error: \d+ of 12 wrong \(.* %\)\n$', capsys.readouterr().out)
