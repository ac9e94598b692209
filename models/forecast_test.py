"""What a network is said to take, against networks that are built and sums by hand."""

import random

import keras
import tensorflow as tf
from absl.testing import parameterized

from input_data import DatasetInfo
from models import HParams, ModelError, build_model
from models.forecast import forecast_training
from models.models_test import CIFAR10, CIFAR10_PRESET, MNIST, MULTI_MNIST


class ForecastTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ('capsule', '', MNIST, (32 * 6 * 6, 10), 8_215_728),
        ('capsule', CIFAR10_PRESET, CIFAR10, (64 * 12 * 12, 10), 22_476_448),
        ('capsule', '', MULTI_MNIST, (32 * 10 * 10, 10), 11_361_968),
        ('paper_baseline', '', MNIST, None, 35_445_522),
    )
    def test_of_known_networks(self, name, overrides, info, capsules, weights):
        found = forecast_training(name, HParams.parse(overrides), info, 2)
        self.assertEqual(found[:3], (capsules, weights, 4 * weights))
        self.assertEqual(found.adam_bytes, 12 * weights)

    @parameterized.parameters(
        ('capsule', 'num_prime_capsules=3,remake=false', DatasetInfo(20, 26, 2, 7, 1)),
        ('capsule', 'num_prime_capsules=2,stride=3,padding=SAME', DatasetInfo(40, 31, 3, 4, 2)),
        ('capsule', 'num_prime_capsules=2,routing_method=votes', DatasetInfo(20, 20, 1, 3, 1)),
        ('baseline', '', DatasetInfo(16, 20, 3, 5, 1)),
    )
    def test_as_built(self, name, overrides, info):
        hparams = HParams.parse(overrides)
        forecast, model = (
            forecast_training(name, hparams, info, 2),
            build_model(name, hparams, info),
        )
        self.assertEqual(forecast.weights, model.count_params())
        if name == 'capsule':
            weight = model.class_capsules.weight
            self.assertEqual(forecast.capsules, (weight.shape[0], info.num_classes))

    def test_tensors_of_a_step(self):
        # Direct convolution, its filter's and its input's gradient, at the gradient of the filter:
        # Conv1's maps, the same once more (routed grids have an axis of one capsule), and the
        # gradient of either; of a filter of 9x9x256x256.
        maps, kernel = 4 * 128 * 20 * 20 * 256, 4 * 9 * 9 * 256 * 256
        found = forecast_training('capsule', HParams(conv_method='direct'), MNIST, 128)
        self.assertBetween(found.graph_bytes, 2 * maps + kernel, 4 * maps + 2 * kernel)
        half = forecast_training('capsule', HParams(conv_method='direct'), MNIST, 64)
        self.assertBetween(half.graph_bytes, maps + kernel, 2 * maps + 2 * kernel)

    def test_mixed_precision_halves_the_maps(self):
        self.addCleanup(keras.config.set_dtype_policy, 'float32')
        hparams = HParams(conv_method='direct')
        whole = forecast_training('capsule', hparams, MNIST, 64)
        keras.config.set_dtype_policy('mixed_bfloat16')
        mixed = forecast_training('capsule', hparams, MNIST, 64)
        self.assertEqual(mixed.weight_bytes, whole.weight_bytes)
        self.assertLess(mixed.graph_bytes, 0.75 * whole.graph_bytes)

    def test_takes_no_memory_itself(self):
        # 36 GB of weights.
        found = forecast_training('capsule', HParams(), DatasetInfo(224, 224, 3, 200, 1), 128)
        side = (216 - 9) // 2 + 1
        self.assertEqual(found.capsules, (32 * side**2, 200))
        self.assertGreater(found.weight_bytes, 4 * 32 * side**2 * 8 * 200 * 16)

    def test_leaves_random_numbers_alone(self):
        random.seed(3)
        expected = random.random()
        random.seed(3)
        forecast_training('capsule', HParams(num_prime_capsules=2), MNIST, 2)
        self.assertEqual(random.random(), expected)

    def test_images_too_small(self):
        with self.assertRaisesRegex(ModelError, 'cannot take 8x8x1 images'):
            forecast_training('capsule', HParams(), DatasetInfo(8, 8, 1, 10, 1), 2)


if __name__ == '__main__':
    tf.test.main()
