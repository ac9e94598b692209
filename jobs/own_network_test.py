"""A capsule network of somebody's own is predicted, reported and shown with its lengths."""

import contextlib
import io
import pathlib
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import layers
import models
from input_data import testing
from jobs.evaluation import evaluate
from jobs.inference import predict
from jobs.options import RunOptions
from jobs.training import train
from models import Inferred, Model

pytestmark = pytest.mark.slow


class PatchCapsules(Model):
    """Each patch of 4x4 pixels is one primary capsule; none of CapsuleModel."""

    score_name = 'length'

    def __init__(self, hparams, info, seed=0, **kwargs):
        super().__init__(hparams, info, seed, **kwargs)
        self.patches = keras.layers.Conv2D(6, 4, strides=4, name='patches')
        self.capsules = layers.Capsule(info.num_classes, 5, name='own')
        self.decoder = layers.Decoder(info.height, info.width, info.depth, name='recons')

    def build(self, input_shape=None):
        self.patches.build((None, self.info.height, self.info.width, self.info.depth))
        self.capsules.build((None, (self.info.height // 4) * (self.info.width // 4), 6))
        self.decoder.build((None, self.info.num_classes, 5))

    def primary(self, images):
        maps = self.patches(images)  # [batch, y, x, 6]
        return layers.squash(tf.reshape(maps, [-1, maps.shape[1] * maps.shape[2], 6]))

    def call(self, features, training=False):
        capsules = self.capsules(self.primary(features['images']))
        drawn = self.reconstruct(capsules, features['target_labels'])
        return Inferred(layers.capsule_lengths(capsules), drawn)

    def route(self, images, iterations=None):
        return self.capsules.route(self.primary(images), iterations)

    def released_variables(self):
        parts = (self.patches, self.capsules, *self.decoder.stages)
        return {f'{part.name}/{own.name}': own for part in parts for own in part.weights}


class OwnNetworkTest(tf.test.TestCase):
    def test_is_taken_for_what_it_says_it_is(self):
        directory = self.create_tempdir().full_path
        testing.write_singles(directory, 'train_2')
        testing.write_singles(directory, 'test_0', count=25)
        options = dict(
            data_dir=directory,
            summary_dir=f'{directory}/run',
            model='patches',
            hparams_override='verbose=true',
            max_steps=2,
            summary_step=1,
            batch_size=8,
            eval_batch_size=10,
            eval_timeout_secs=0,
        )
        Image.fromarray(testing.digit_images(1, 20)[0][0]).save(f'{directory}/digit.png')
        with (
            mock.patch.dict(models.MODELS, {'patches': PatchCapsules}),
            contextlib.redirect_stdout(io.StringIO()) as printed,
        ):
            train.run(RunOptions(**options))
            evaluate.run(RunOptions(**options, train=False, figures=True, report=True))
            (answer,) = predict.run(RunOptions(**options, predict=f'{directory}/digit.png'))

        # Lengths, and no softmax of them.
        self.assertIn(f'digit.png: {answer["predictions"][0]}  lengths ', printed.getvalue())
        self.assertAllInRange(answer['scores'], 0, 1)
        self.assertNotAllClose(np.sum(answer['scores']), 1)
        self.assertEndsWith(answer['picture'], 'predict-digit.png')
        page = pathlib.Path(f'{directory}/run/test/report.html').read_text(encoding='utf-8')
        self.assertIn('the length of the class', page)
        self.assertEqual(page.count('type="range"'), 5)
        drawn = {path.name for path in pathlib.Path(f'{directory}/run/test/figures').iterdir()}
        self.assertContainsSubset({'routing_logits.png', 'masked_reconstructions.png'}, drawn)
        self.assertNotIn('this network has none', printed.getvalue())  # among what was left out
        events = b''.join(
            path.read_bytes() for path in pathlib.Path(f'{directory}/run/train').glob('events*')
        )
        self.assertIn(b'coupling', events)


if __name__ == '__main__':
    tf.test.main()
