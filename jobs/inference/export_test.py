"""SavedModels: the same numbers in a process that has never heard of this project."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized

from common.errors import UserError
from input_data import InputRequest, inputs, testing
from jobs.inference import export, trained
from jobs.options import RunOptions
from jobs.training import train

pytestmark = pytest.mark.slow

SMALL = 'num_prime_capsules=2'
# Of the largest score. Another process splits sums of thousands of products in other ways, and
# the baseline's logits are small differences of large sums.
ROUNDING = 1e-4
LOADER = """
import sys
import numpy as np
import tensorflow as tf
saved = tf.saved_model.load(sys.argv[1])
results = {}
for name, images in np.load(sys.argv[2]).items():
    for size in (1, len(images)):
        found = saved.signatures[name](images=tf.constant(images[:size]))
        results.update({f'{name}/{key}/{size}': value for key, value in found.items()})
np.savez(sys.argv[3], **results)
strangers = {'experiment', 'input_data', 'jobs', 'layers', 'models', 'keras'} & set(sys.modules)
assert not strangers - {'keras'}, strangers
"""


class ExportTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        self.data = f'{self.directory}/data'
        pathlib.Path(self.data).mkdir()
        testing.write_singles(self.data, 'train_2')
        testing.write_singles(self.data, 'test_0', count=25)

    def options(self, **overrides):
        defaults = dict(summary_dir=f'{self.directory}/run', export_dir=f'{self.directory}/saved')
        return RunOptions(**{**defaults, **overrides})

    def train(self, **overrides):
        defaults = dict(
            data_dir=self.data, hparams_override=SMALL, max_steps=1, batch_size=8, seed=5
        )
        with contextlib.redirect_stdout(io.StringIO()):
            train.run(self.options(**{**defaults, **overrides}))

    def export(self, **overrides):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            export.run(self.options(**overrides))
        return printed.getvalue()

    def load_elsewhere(self, images):
        """What a fresh process gets from the SavedModel, by signature, output and batch size."""
        elsewhere = self.create_tempdir().full_path
        np.savez(f'{elsewhere}/images.npz', **images)
        arguments = [f'{self.directory}/saved', 'images.npz', 'results.npz']
        environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        process = subprocess.run(
            [sys.executable, '-c', LOADER, *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.assertEqual(process.returncode, 0, process.stderr)
        return dict(np.load(f'{elsewhere}/results.npz'))

    @parameterized.parameters(
        dict(overrides={}, has_decoder=True),
        dict(overrides={'hparams_override': f'{SMALL},remake=false,leaky=true'}, has_decoder=False),
        dict(overrides={'model': 'baseline', 'hparams_override': None}, has_decoder=False),
    )
    def test_gives_the_same_numbers_in_a_fresh_process(self, overrides, has_decoder):
        self.train(**overrides)
        printed = self.export()
        self.assertIn('model.ckpt-1', printed)
        graph = pathlib.Path(f'{self.directory}/saved/saved_model.pb').read_bytes()
        self.assertNotIn(b'_XlaMustCompile', graph)  # servers may refuse it
        features = next(iter(inputs('mnist', InputRequest(self.data, 'test'))[0]))
        images = features['images'].numpy()
        as_bytes = np.uint8(np.round(255 * images))
        results = self.load_elsewhere({'serving_default': images, 'serve_uint8': as_bytes})
        expected = trained.answer(trained.load(self.options()).model, tf.constant(images))
        for name in ('serving_default', 'serve_uint8'):
            for size in (1, 25):
                difference = results[f'{name}/scores/{size}'] - expected.scores[:size]
                self.assertLess(np.abs(difference).max(), ROUNDING * np.abs(expected.scores).max())
            self.assertAllEqual(results[f'{name}/predictions/25'], expected.predictions)
            self.assertEqual(f'{name}/reconstructions/25' in results, has_decoder)
            if has_decoder:
                drawn = results[f'{name}/reconstructions/25']
                self.assertEqual(drawn.shape, (25, 1, 20, 20, 1))
                self.assertAllClose(drawn, expected.reconstructions, 1e-5, 1e-6)

    @parameterized.parameters(
        dict(overrides={'hparams_override': f'{SMALL},leaky=true,padding=SAME'}),
        dict(overrides={'model': 'baseline', 'hparams_override': None}),
        dict(overrides={'model': 'baseline', 'hparams_override': 'conv_method=direct'}),
    )
    def test_converts_to_tensorflow_lite_as_it_says(self, overrides):
        self.train(**overrides)
        saved, lite = f'{self.directory}/saved', f'{self.directory}/lite'
        advice = re.search(r'export with --hparams_override=(\S+)', self.export())
        is_direct = overrides['hparams_override'] == 'conv_method=direct'
        self.assertEqual(advice is None, is_direct)  # what converts as it is
        if advice:
            printed = self.export(export_dir=lite, hparams_override=advice[1])
            self.assertIn('It converts to TensorFlow Lite', printed)
        converter = tf.lite.TFLiteConverter.from_saved_model(lite if advice else saved)
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
        images = next(iter(inputs('mnist', InputRequest(self.data, 'test'))[0]))['images']
        expected = trained.answer(trained.load(self.options()).model, images)
        as_bytes = np.uint8(np.round(255 * images))
        for name, given in (('serving_default', images.numpy()), ('serve_uint8', as_bytes)):
            found = interpreter.get_signature_runner(name)(images=given)
            difference = np.abs(found['scores'] - expected.scores).max()
            self.assertLess(difference, ROUNDING * np.abs(expected.scores).max())
            self.assertAllEqual(found['predictions'], expected.predictions)
            if 'model' not in overrides:
                self.assertAllClose(found['reconstructions'], expected.reconstructions, 1e-5, 1e-6)

    def test_two_targets(self):
        pairs = testing.write_pairs(f'{self.directory}/pairs.tfrecords', 10)
        self.train(data_dir=pairs, num_targets=2)
        self.export()
        saved = tf.saved_model.load(f'{self.directory}/saved')
        found = saved.signatures['serving_default'](images=tf.zeros([3, 20, 20, 1]))
        self.assertEqual(found['predictions'].shape, (3, 2))
        self.assertEqual(found['reconstructions'].shape, (3, 2, 20, 20, 1))

    def test_never_writes_over_anything(self):
        self.train()
        saved = pathlib.Path(f'{self.directory}/saved')
        saved.mkdir()
        (saved / 'mine').touch()
        with self.assertRaisesRegex(UserError, '--export_dir=.*saved: found something there'):
            self.export()
        self.assertEqual([path.name for path in saved.iterdir()], ['mine'])
        (saved / 'mine').unlink()
        self.export()  # an empty directory is fine
        self.assertIn('saved_model.pb', [path.name for path in saved.iterdir()])
        self.assertEqual(list(pathlib.Path(self.directory).glob('.*')), [])


if __name__ == '__main__':
    tf.test.main()
