"""Checkpoints have the release's names, shapes and types, and come back bit for bit."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import DatasetInfo
from models import HParams, build_model, checkpoint
from models.golden_test import CIFAR10, CIFAR10_PRESET, MNIST, golden_features

SMALL = DatasetInfo(20, 20, 1, 3, 1)
SMALL_HPARAMS = HParams(num_prime_capsules=2)
RELEASED_MNIST_SHAPES = {
    'conv1/weights': (9, 9, 1, 256),
    'conv1/biases': (256,),
    'conv_capsule1/weights': (9, 9, 256, 256),
    'conv_capsule1/biases': (32, 8, 1, 1),
    'capsule2/weights': (1152, 8, 160),
    'capsule2/biases': (10, 16),
    'recons/recons_1/weights': (160, 512),
    'recons/recons_1/biases': (512,),
    'recons/recons_2/weights': (512, 1024),
    'recons/recons_2/biases': (1024,),
    'recons/recons_3/weights': (1024, 784),
    'recons/recons_3/biases': (784,),
}


def small_model(hparams=SMALL_HPARAMS, info=SMALL, name='capsule'):
    return build_model(name, hparams, info)


def state(model):
    """All that a checkpoint must bring back."""
    variables = [*model.tf_variables().values(), *model.adam.first_moments]
    return [variable.numpy() for variable in (*variables, *model.adam.second_moments, model.step)]


def write_without(directory, path, ending):
    """Copies a checkpoint, leaving out the variables whose names end so."""
    reader = tf.train.load_checkpoint(path)
    names = [n for n in reader.get_variable_to_shape_map() if not n.endswith(ending)]
    copy = str(pathlib.Path(directory) / 'model.ckpt-99')
    tensors = [reader.get_tensor(name) for name in names]
    tf.raw_ops.SaveV2(
        prefix=copy, tensor_names=names, shape_and_slices=[''] * len(names), tensors=tensors
    )
    return copy


class CheckpointTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def test_names_shapes_and_types_are_the_releases(self):
        path = checkpoint.save(self.directory, build_model('capsule', HParams(), MNIST), step=5)
        reader = tf.train.load_checkpoint(path)
        shapes = {n: tuple(s) for n, s in reader.get_variable_to_shape_map().items()}
        expected = dict.fromkeys(('beta1_power', 'beta2_power', 'global_step'), ())
        for name, shape in RELEASED_MNIST_SHAPES.items():
            expected.update({name: shape, f'{name}/Adam': shape, f'{name}/Adam_1': shape})
        self.assertEqual(shapes, expected)
        self.assertEqual(set(reader.get_variable_to_dtype_map().values()), {tf.float32})
        self.assertEqual(reader.get_tensor('global_step'), 5.0)
        self.assertAllClose(reader.get_tensor('beta1_power'), 0.9**6)
        self.assertAllClose(reader.get_tensor('beta2_power'), 0.999**6)

    @parameterized.parameters(
        ('capsule', '', MNIST),
        ('capsule', CIFAR10_PRESET, CIFAR10),
        ('baseline', '', MNIST),
    )
    def test_comes_back_bit_for_bit(self, name, overrides, info):
        hparams = HParams.parse(overrides)
        model = build_model(name, hparams, info)
        model.train_step(golden_features(info))
        path = checkpoint.save(self.directory, model, step=1)
        other = build_model(name, hparams, info)
        self.assertEqual(checkpoint.restore(path, other), 1)
        for one, two in zip(state(model), state(other), strict=True):
            np.testing.assert_array_equal(one, two)

    def test_file_without_moments_trains_from_zero_moments(self):
        model = small_model()
        model.adam.first_moments[0].assign_add(tf.ones_like(model.adam.first_moments[0]))
        path = checkpoint.save(self.directory, model, step=3)
        bare = write_without(self.directory, path, ('Adam', 'Adam_1', 'power', 'global_step'))
        self.assertEqual(checkpoint.restore(bare, model), 0)
        self.assertAllEqual(model.adam.first_moments[0], tf.zeros_like(model.adam.first_moments[0]))

    def test_steps_that_float32_cannot_count(self):
        step = 2**24 + 1
        path = checkpoint.save(self.directory, small_model(), step)
        stored = tf.train.load_checkpoint(path).get_tensor('global_step')
        self.assertNotEqual(int(stored), step)
        self.assertEqual(checkpoint.restore(path, small_model()), step)
        checkpoint.check_name(path)

    def test_a_name_that_is_not_of_the_step_is_found(self):
        path = checkpoint.save(self.directory, small_model(), 5)
        for part in pathlib.Path(self.directory).glob('model.ckpt-5.*'):
            part.rename(part.with_name(part.name.replace('-5.', '-7.')))
        path = checkpoint.path_of(self.directory, 7)
        self.assertEqual(checkpoint.restore(path, small_model()), 5)
        with self.assertRaisesRegex(
            checkpoint.CheckpointError, 'ckpt-7: found global_step 5; expected 7'
        ):
            checkpoint.check_name(path)

    def test_evaluation_makes_no_moments(self):
        path = checkpoint.save(self.directory, small_model(), step=3)
        model = small_model()
        checkpoint.restore(path, model, with_moments=False)
        self.assertNotIn('adam', vars(model))

    def test_newest_and_state_file(self):
        model = small_model()
        for step in (9, 10, 100):
            path = checkpoint.save(self.directory, model, step, keep=2)
        self.assertEqual(checkpoint.steps(self.directory), [10, 100])
        self.assertEqual(checkpoint.latest(self.directory), path)
        self.assertEqual(tf.train.latest_checkpoint(self.directory), path)
        listed = tf.train.get_checkpoint_state(self.directory).all_model_checkpoint_paths
        self.assertEqual(list(listed), [f'{self.directory}/model.ckpt-{s}' for s in (10, 100)])

    def test_missing_file_tells_what_is_there(self):
        checkpoint.save(self.directory, small_model(), step=7)
        with self.assertRaisesRegex(checkpoint.CheckpointError, 'ckpt-8.index; .*model.ckpt-7'):
            checkpoint.restore(f'{self.directory}/model.ckpt-8', small_model())

    @parameterized.named_parameters(
        ('types', HParams(num_prime_capsules=3), SMALL, 'capsule', r'\[9, 9, 256, 16\].*256, 24\]'),
        ('image', SMALL_HPARAMS, DatasetInfo(24, 24, 1, 3, 1), 'capsule', 'capsule2/weights'),
        ('model', HParams(), SMALL, 'baseline', r'conv1/weights has shape .*--model'),
    )
    def test_other_network_is_refused_and_left_alone(self, hparams, info, name, message):
        path = checkpoint.save(self.directory, small_model(), step=7)
        model = build_model(name, hparams, info)
        before = state(model)
        with self.assertRaisesRegex(checkpoint.CheckpointError, message):
            checkpoint.restore(path, model)
        for one, two in zip(before, state(model), strict=True):
            np.testing.assert_array_equal(one, two)

    @parameterized.parameters('.index', '.data-00000-of-00001')
    def test_damaged_file_is_named(self, ending):
        path = checkpoint.save(self.directory, small_model(), step=7)
        damaged = pathlib.Path(path + ending)
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2 :] = b'\xaa' * (len(content) - len(content) // 2)
        damaged.write_bytes(bytes(content))
        with self.assertRaisesRegex(checkpoint.CheckpointError, 'model.ckpt-7: .*cannot be read'):
            checkpoint.restore(path, small_model())


if __name__ == '__main__':
    tf.test.main()
