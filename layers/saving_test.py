"""Models of anybody's: fitted, saved and loaded by Keras alone, on the Keras backend in use.

As layers/backends_test.py, for TensorFlow, JAX and PyTorch.
"""

import importlib
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import layers

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
CLASSES = 3
OWN = """
import keras
import layers
import numpy as np

@keras.saving.register_keras_serializable('own')
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.primary = layers.ConvCapsule(4, 4, kernel_size=3, iterations=2, leaky=True)
        self.classes = layers.Capsule(3, 5, method='votes')
        self.lengths = layers.Length()

    def call(self, images):
        grid = self.primary(images[:, :, :, None])
        return self.lengths(self.classes(layers.flatten_grid(grid)))

def fit(model, images, labels):
    targets = {'lengths': labels, 'drawn': images} if model.name == 'functional' else labels
    model.fit(images, targets, batch_size=8, epochs=2, shuffle=False, verbose=0)

def predict(model, images):
    parts = keras.tree.flatten(model(images))
    return np.concatenate([np.ravel(keras.ops.convert_to_numpy(part)) for part in parts])
"""
LOADER = """
import sys
import keras
import numpy as np
import layers
import own

data, found = dict(np.load('data.npz')), {}
for name in sys.argv[1:]:
    model = keras.saving.load_model(f'{name}.keras')
    found[f'{name} loaded'] = own.predict(model, data['images'])
    own.fit(model, **data)
    found[f'{name} fitted on'] = own.predict(model, data['images'])
np.savez('found.npz', **found)
"""


def build_sequential():
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(8, 3, activation='relu'),
            keras.layers.Reshape((10, 10, 1, 8)),
            layers.ConvCapsule(4, 4, kernel_size=3, padding='same'),
            keras.layers.Reshape((-1, 4)),
            layers.Capsule(CLASSES, 5),
            layers.Length(),
        ],
        name='sequential',
    )


def build_functional():
    images = keras.Input((12, 12, 1))
    maps = keras.layers.Conv2D(8, 3, activation='relu')(images)
    grid = layers.ConvCapsule(4, 4, kernel_size=3)(keras.ops.expand_dims(maps, 3))
    capsules = layers.Capsule(CLASSES, 5)(layers.flatten_grid(grid))
    lengths = layers.Length()(capsules)
    masked = layers.mask_capsules(capsules, keras.ops.argmax(lengths, axis=-1))
    drawn = layers.Decoder(12, 12, 1)(masked)
    return keras.Model(images, {'lengths': lengths, 'drawn': drawn}, name='functional')


def test_a_fresh_process_loads_what_was_fitted_and_fits_on(tmp_path, monkeypatch):
    (tmp_path / 'own.py').write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module('own')
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(20, 12, 12, 1)).astype(np.float32)
    labels = np.eye(CLASSES, dtype=np.float32)[rng.integers(CLASSES, size=20)]
    np.savez(tmp_path / 'data.npz', images=images, labels=labels)
    keras.utils.set_random_seed(0)
    margin = layers.MarginLoss('paper')
    losses = {'functional': {'lengths': margin, 'drawn': 'mse'}}
    expected = {}
    models = (build_sequential(), build_functional(), own.Subclassed(name='subclassed'))
    for model in models:
        model.compile('adam', losses.get(model.name, margin))
        own.fit(model, images, labels)
        model.save(tmp_path / f'{model.name}.keras')
        expected[f'{model.name} loaded'] = own.predict(model, images)
        own.fit(model, images, labels)
        expected[f'{model.name} fitted on'] = own.predict(model, images)
    subprocess.run(
        [sys.executable, '-c', LOADER, *(model.name for model in models)],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        check=True,
    )
    with np.load(tmp_path / 'found.npz') as found:
        assert set(found) == set(expected)
        for name, scores in expected.items():
            np.testing.assert_array_equal(found[name], scores, name)


def test_compiled_margin_loss_is_the_mean_over_all_examples():
    """Also where the last batch is a smaller one: the paper's loss and half its mean over 10."""
    scores = np.full((5, 10), 0.3, np.float32)
    scores[4] = 0.9  # all absent classes: 9 * 0.5 * 0.8^2 = 2.88; the first four are below
    labels = np.eye(10, dtype=np.float32)[:5]
    paper = (4 * (0.6**2 + 9 * 0.5 * 0.2**2) + 2.88) / 5
    for scale, loss in (('paper', paper), ('release', paper / 20)):
        model = keras.Sequential([keras.Input((10, 1)), layers.Length()])
        model.compile(loss=layers.MarginLoss(scale), metrics=['accuracy'])
        result = model.evaluate(scores[..., None], labels, batch_size=2, verbose=0)
        np.testing.assert_allclose(result, [loss, 1 / 5], rtol=1e-6)
