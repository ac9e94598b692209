"""Parameter counts, hyper-parameters and what build_model refuses."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import DatasetInfo
from models import HParams, ModelError, build_model
from models.golden_test import (
    CIFAR10,
    CIFAR10_PRESET,
    MNIST,
    MULTI_MNIST,
    golden_features,
    set_golden_weights,
)
from models.hparams import HParamsError


class BuildModelTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(
        ('capsule', '', MNIST, 8_215_728),
        ('capsule', 'remake=false', MNIST, 6_804_384),
        ('capsule', '', MULTI_MNIST, 11_361_968),
        ('capsule', CIFAR10_PRESET, CIFAR10, 22_476_448),
        ('paper_baseline', 'padding=SAME', MNIST, 35_445_522),
        ('paper_baseline', '', MNIST, 35_445_522),
    )
    def test_parameter_counts(self, name, overrides, info, count):
        self.assertEqual(build_model(name, HParams.parse(overrides), info).count_params(), count)

    def test_unknown_model(self):
        with self.assertRaisesRegex(ModelError, "'capsnet'; valid models: capsule, baseline"):
            build_model('capsnet', HParams(), MNIST)

    @parameterized.parameters(('capsule', 8), ('capsule', 16), ('baseline', 8))
    def test_images_too_small(self, name, side):
        with self.assertRaisesRegex(ModelError, f'={name} cannot take {side}x{side}x1 images'):
            build_model(name, HParams(), DatasetInfo(side, side, 1, 10, 1))

    @parameterized.parameters(
        ('stride=2', 28, 32 * 1 * 1),  # maps of 10x10
        ('stride=2', 64, 32 * 10 * 10),  # of 28x28
        ('stride=2,padding=SAME', 64, 32 * 16 * 16),  # of 32x32
        ('stride=5,padding=SAME', 28, 32 * 3 * 3),  # of 6x6
    )
    def test_stride_of_conv1(self, overrides, side, primary_capsules):
        info = DatasetInfo(side, side, 3, 2, 1)
        fast, direct = (
            build_model('capsule', HParams.parse(f'{overrides},conv_method={method}'), info)
            for method in ('winograd', 'direct')
        )
        images = np.random.default_rng(0).random((3, side, side, 3), np.float32)
        for model in (fast, direct):
            set_golden_weights(model, strong=True)
            self.assertEqual(model.class_capsules.weight.shape[0], primary_capsules)
        self.assertAllClose(fast.primary(images), direct.primary(images), rtol=0, atol=1e-5)

        stride = fast.hparams.stride
        maps = fast.conv1(images).numpy()
        before = max(0, (maps.shape[1] - 1) * stride + 9 - side) // 2  # 0 for VALID
        padded = np.pad(images, [(0, 0), (before, 9), (before, 9), (0, 0)])
        y, x = maps.shape[1] - 2, 1
        window = padded[:, y * stride : y * stride + 9, x * stride : x * stride + 9]
        expected = np.einsum('byxi,yxio->bo', window, fast.conv1.kernel) + fast.conv1.bias
        self.assertAllClose(maps[:, y, x], np.maximum(0, expected), rtol=1e-4, atol=1e-5)

    @parameterized.parameters('baseline', 'paper_baseline')
    def test_a_baseline_convolves_directly_only_once(self, name):
        info = DatasetInfo(16, 16, 1, 10, 1)
        images = np.random.default_rng(0).random((16, 16, 16, 1), np.float32)
        scores = []
        for method in ('auto', 'direct'):
            model = build_model(name, HParams(conv_method=method), info)
            set_golden_weights(model, strong=False)
            infer = tf.function(lambda images, model=model: model({'images': images}).scores)
            operations = infer.get_concrete_function(images).graph.get_operations()
            direct = sum(operation.type == 'Conv2D' for operation in operations)
            self.assertEqual(direct, 1 if method == 'auto' else len(model.convolutions))
            scores.append(infer(images))
        self.assertAllClose(*scores, rtol=0, atol=1e-5 * np.abs(scores[1]).max())

    def test_stride_that_leaves_no_room(self):
        told = '28x28x1 images with stride=3: ConvCapsule needs .* at least 9x9, got .* 7, 7'
        with self.assertRaisesRegex(ModelError, told):
            build_model('capsule', HParams(stride=3), MNIST)

    @parameterized.parameters('capsule', 'baseline')
    def test_examples_do_not_see_their_neighbours(self, name):
        model = build_model(name, HParams(num_prime_capsules=4), MNIST)
        set_golden_weights(model, strong=False)
        features = golden_features(MNIST)
        whole = model(features, training=False)
        alone = model({key: value[2:3] for key, value in features.items()}, training=False)
        rounding = 2e-5 * np.abs(whole.scores).max()
        self.assertAllClose(alone.scores, whole.scores[2:3], rtol=0, atol=rounding)

    def test_reconstructions_follow_their_targets(self):
        model = build_model('capsule', HParams(num_prime_capsules=4), MULTI_MNIST)
        set_golden_weights(model, strong=False)
        features = golden_features(MULTI_MNIST)
        both = model(features).reconstructions.numpy()
        features['target_labels'] = features['target_labels'][:, ::-1]
        self.assertAllClose(model(features).reconstructions, both[:, ::-1])
        self.assertGreater(np.abs(both[:, 0] - both[:, 1]).max(), 1e-4)

    def test_dropout_is_a_function_of_seed_and_step(self):
        model = build_model('paper_baseline', HParams(), DatasetInfo(9, 9, 1, 10, 1), seed=4)
        hidden = tf.ones([2, 192])
        first = model.drop(hidden)
        self.assertAllEqual(model.drop(hidden), first)
        self.assertAllInSet(first, [0, 2])
        model.step.assign_add(1)
        self.assertNotAllEqual(model.drop(hidden), first)

    def test_a_refresh_serves_evaluation_and_never_training(self):
        model = build_model('capsule', HParams(num_prime_capsules=8), MNIST)
        set_golden_weights(model, strong=True)
        features = golden_features(MNIST)
        evaluate = tf.function(model.eval_step)
        model.refresh()
        before = evaluate(features).scores
        kernel = model.primary_capsules.weight
        kernel.assign(2 * kernel)
        self.assertAllEqual(evaluate(features).scores, before)
        trained = model.gradients(features)[0].scores
        self.assertNotAllClose(trained, before, rtol=1e-2)
        model.refresh()
        self.assertAllClose(evaluate(features).scores, trained, rtol=1e-4)
        self.assertEqual(model.count_params(), sum(map(tf.size, model.tf_variables().values())))

    def test_zero_capsules_do_not_spoil_gradients(self):
        model = build_model('capsule', HParams(num_prime_capsules=2), MNIST)
        for variable in model.tf_variables().values():
            variable.assign(tf.zeros_like(variable))
        _, gradients = model.gradients(golden_features(MNIST))
        for gradient in gradients:
            self.assertTrue(np.isfinite(gradient).all())


class HParamsTest(parameterized.TestCase):
    def test_defaults_are_the_releases(self):
        self.assertEqual(HParams.parse(None), HParams())
        self.assertEqual(HParams.parse(''), HParams())
        self.assertEqual(
            HParams(),
            HParams.parse(
                'decay_rate=0.96,decay_steps=2000,leaky=False,learning_rate=0.001,'
                'loss_type=margin,num_prime_capsules=32,padding=VALID,remake=True,routing=3,'
                'verbose=False'
            ),
        )

    def test_overrides(self):
        hparams = HParams.parse(' num_prime_capsules=64 ,padding=same,leaky=true,remake=FALSE,')
        self.assertEqual(
            hparams, HParams(num_prime_capsules=64, padding='SAME', leaky=True, remake=False)
        )

    @parameterized.parameters(
        ('primes=3', "unknown key 'primes'; valid keys: conv_method, decay_rate, .*verbose"),
        ('routing', "expected key=value, got 'routing'"),
        ('routing=3,routing=4', 'routing is given twice'),
        ('routing=three', "routing must be a whole number, got 'three'"),
        ('routing=1.5', "routing must be a whole number, got '1.5'"),
        ('routing=0', 'routing must be from 1 to 1000, got 0'),
        ('leaky=maybe', "leaky must be true or false, got 'maybe'"),
        ('learning_rate=fast', "learning_rate must be a number, got 'fast'"),
        ('learning_rate=-1', 'learning_rate must be positive and finite, got -1.0'),
        ('learning_rate=nan', 'learning_rate must be positive and finite, got nan'),
        ('learning_rate=inf', 'learning_rate must be positive and finite, got inf'),
        ('decay_rate=1.5', r'decay_rate must be in \(0, 1\], got 1.5'),
        ('decay_steps=0', 'decay_steps must be from 1 to 2147483647, got 0'),
        ('num_prime_capsules=0', 'num_prime_capsules must be from 1 to 4096, got 0'),
        ('stride=0', 'stride must be from 1 to 64, got 0'),
        ('padding=FULL', "padding must be VALID or SAME, got 'FULL'"),
        ('routing_method=slow', "routing_method must be one of auto, fast, votes, got 'slow'"),
        ('loss_type=hinge', "loss_type must be one of margin, .*sigmoid, got 'hinge'"),
    )
    def test_errors(self, text, message):
        with self.assertRaisesRegex(HParamsError, message):
            HParams.parse(text)

    def test_wrong_type_in_code(self):
        with self.assertRaisesRegex(HParamsError, "routing must be a whole number, got '3'"):
            HParams(routing='3')
        self.assertEqual(HParams(learning_rate=1).learning_rate, 1)


if __name__ == '__main__':
    tf.test.main()
