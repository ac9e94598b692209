"""Our numbers against the release's: forward values, gradients and one Adam step."""

import itertools
import pathlib
import zlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import DatasetInfo
from input_data.batching import one_hot_labels
from models import HParams, build_model, optimizer

GOLDEN = pathlib.Path(__file__).parent / 'testdata' / 'golden'
FORWARD_TOLERANCE = 2e-5  # of an array's largest magnitude
GRADIENT_TOLERANCE = 2e-4

MNIST = DatasetInfo(28, 28, 1, 10, 1)
MULTI_MNIST = DatasetInfo(36, 36, 1, 10, 2)
CIFAR10 = DatasetInfo(24, 24, 3, 10, 1)
CIFAR10_PRESET = 'num_prime_capsules=64,padding=SAME,leaky=true,remake=false'

CASES = (
    ('capsule_mnist', 'capsule', '', MNIST),
    ('capsule_mnist_strong', 'capsule', '', MNIST),
    ('capsule_mnist_strong_leaky', 'capsule', 'leaky=true', MNIST),
    ('capsule_multi', 'capsule', '', MULTI_MNIST),
    ('capsule_cifar', 'capsule', CIFAR10_PRESET, CIFAR10),
    ('baseline_mnist_softmax', 'baseline', 'loss_type=softmax', MNIST),
)


def golden_features(info):
    """The inputs that the golden numbers were made with."""

    def draw(seed):
        shape = (4, info.depth, info.height, info.width)
        pixels = np.random.RandomState(seed).randint(0, 256, size=shape).astype('float32') / 255
        return pixels.transpose(0, 2, 3, 1)

    images = draw(7)
    targets = np.array([[3, 1, 4, 1], [5, 9, 2, 6]][: info.num_targets], np.int32).T
    target_images = [images] if info.num_targets == 1 else [images, draw(8)]
    return {
        'images': tf.constant(images),
        'labels': one_hot_labels(targets, info.num_classes),
        'target_labels': tf.constant(targets),
        'target_images': tf.constant(np.stack(target_images, axis=1)),
    }


def set_golden_weights(model, strong):
    for name, variable in model.tf_variables().items():
        draw = np.random.RandomState(zlib.crc32(name.encode())).standard_normal
        values = draw(model.released_shape(name)).astype('float32')
        if name.endswith('weights'):
            values = values * np.float32(0.05)
        else:
            values = values * np.float32(0.02) + np.float32(0.1)
        if strong and name == 'capsule2/weights':
            values = values * 8
        variable.assign(values.reshape(variable.shape))


def sum_and_norm(array):
    array = np.asarray(array, np.float64)
    return array.sum(), np.linalg.norm(array)


class GoldenTest(tf.test.TestCase, parameterized.TestCase):
    def assert_near(self, actual, expected, tolerance):
        expected = np.asarray(expected)
        self.assertAllClose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())

    def assert_sum_and_norm(self, array, expected, tolerance):
        total, norm = sum_and_norm(array)
        scale = expected[1] * np.sqrt(np.size(array))  # a sum rounds as its terms do
        self.assertAllClose(norm, expected[1], rtol=tolerance)
        self.assertAllClose(total, expected[0], rtol=0, atol=tolerance * scale)

    @parameterized.named_parameters(
        (f'{case[0]}_{method}', method, *case)
        for method, case in itertools.product(('winograd', 'direct'), CASES)
    )
    def test_equals_the_release(self, method, case, name, overrides, info):
        golden = np.load(GOLDEN / f'{case}.npz', allow_pickle=False)
        # Told, as auto convolves batches as small as these directly.
        model = build_model(name, HParams.parse(f'{overrides},conv_method={method}'), info)
        set_golden_weights(model, strong='strong' in case)
        features = golden_features(info)

        self.check_forward(golden, model, features)
        self.check_gradients(golden, model, features)
        tf.function(model.train_step)(features)
        self.check_after_step(golden, model, features)

    def test_procedure_1_equals_the_release(self):
        golden = np.load(GOLDEN / 'capsule_mnist_strong_leaky.npz', allow_pickle=False)
        overrides = 'leaky=true,routing_method=votes'
        model = build_model('capsule', HParams.parse(overrides), MNIST)
        set_golden_weights(model, strong=True)
        features = golden_features(MNIST)
        self.check_forward(golden, model, features)
        self.check_gradients(golden, model, features)

    def check_forward(self, golden, model, features):
        inferred = model(features, training=False)
        self.assert_near(inferred.scores, golden['logits'], FORWARD_TOLERANCE)
        for number in range(len(golden['reconstruction_losses'])):
            image = inferred.reconstructions[:, number].numpy()
            channel_first = image.transpose(0, 3, 1, 2).reshape(len(image), -1)
            self.assert_near(channel_first, golden[f'remake_{number + 1}'], FORWARD_TOLERANCE)
        result = model.eval_step(features)
        losses = result.losses
        self.assert_near(losses.classification, golden['classification_loss'], FORWARD_TOLERANCE)
        self.assert_near(losses.total, golden['total_loss'], FORWARD_TOLERANCE)
        if model.reconstructs:
            expected = golden['reconstruction_losses']
            self.assert_near(losses.reconstruction, expected, FORWARD_TOLERANCE)
        else:
            self.assertIsNone(losses.reconstruction)
        self.assertEqual(result.correct, golden['correct_sum'])
        self.assertEqual(result.almost, golden['almost_sum'])

    def check_gradients(self, golden, model, features):
        names = golden['names'].tolist()
        variables = model.tf_variables()
        self.assertCountEqual(names, variables)
        gradients = dict(zip(variables, model.gradients(features)[1], strict=True))
        for row, name in enumerate(names):
            with self.subTest(name=name):
                gradient = gradients[name].numpy()
                largest = golden['grad_abs_max'][row]
                self.assertAllClose(np.abs(gradient).max(), largest, rtol=GRADIENT_TOLERANCE)
                self.assertAllClose(
                    gradient.ravel()[:32],
                    golden[f'grad_head/{name}'],
                    rtol=0,
                    atol=GRADIENT_TOLERANCE * largest,
                )
                expected = golden['grad_sum_l2'][row]
                self.assert_sum_and_norm(gradient, expected, GRADIENT_TOLERANCE)

    def check_after_step(self, golden, model, features):
        self.assertEqual(model.step, golden['after_global_step'])
        powers = [power.numpy() for power in optimizer.beta_powers(model.step)]
        self.assertAllClose(powers, golden['after_beta_powers'], rtol=1e-6)
        variables = model.tf_variables()
        first = dict(zip(variables, model.adam.first_moments, strict=True))
        second = dict(zip(variables, model.adam.second_moments, strict=True))
        for row, name in enumerate(golden['names'].tolist()):
            with self.subTest(name=name):
                head = variables[name].numpy().ravel()[:32]
                self.assert_near(head, golden[f'after_head/{name}'], GRADIENT_TOLERANCE)
                for key, array in (
                    ('after_sum_l2', variables[name]),
                    ('after_adam_m_sum_l2', first[name]),
                    ('after_adam_v_sum_l2', second[name]),
                ):
                    self.assert_sum_and_norm(array, golden[key][row], GRADIENT_TOLERANCE)
        result = model.eval_step(features)
        self.assert_near(result.scores, golden['after_logits'], GRADIENT_TOLERANCE)
        self.assert_near(result.losses.total, golden['after_total_loss'], GRADIENT_TOLERANCE)

    def test_learning_rate(self):
        golden = np.load(GOLDEN / 'capsule_mnist.npz', allow_pickle=False)
        rates = [optimizer.learning_rate_at(step, HParams()) for step in golden['lr_steps']]
        self.assertAllClose(rates, golden['lr'], rtol=1e-5)
        self.assertAllClose(optimizer.learning_rate_at(10**7, HParams()), 1e-6)


if __name__ == '__main__':
    tf.test.main()
