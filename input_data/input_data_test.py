"""The registry: what each data set must offer, and how images from outside become its input."""

import sys
import types
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import input_data
from input_data import DataError, DatasetInfo, InputRequest
from input_data import testing as record_testing
from input_data.cifar10 import testing as cifar10_testing
from input_data.mnist import testing as mnist_testing
from input_data.norb import testing as norb_testing


def complete_module(**without) -> types.ModuleType:
    """A data set's module that offers everything, but for what is given as None."""
    module = types.ModuleType('circles')
    offers = {name: object() for name in ('inputs', 'check', 'raw_images', 'EVAL_SIZE')}
    vars(module).update({name: value for name, value in offers.items() if name not in without})
    return module


class RegistryTest(tf.test.TestCase, parameterized.TestCase):
    def register(self, module: types.ModuleType):
        self.enter_context(mock.patch.dict(sys.modules, circles=module))
        self.enter_context(mock.patch.dict(input_data.DATASETS, circles='circles'))

    @parameterized.parameters(*input_data.DATASETS)
    def test_every_data_set_says_how_raw_pixels_become_its_input(self, name):
        info = DatasetInfo(*{'cifar10': (24, 24, 3), 'norb': (32, 32, 2)}.get(name, (30, 29, 1)))
        raw = input_data.raw_images(name, info)
        images = raw.to_input(tf.zeros((2, *raw.shape), tf.uint8))
        self.assertDTypeEqual(images, np.float32)
        self.assertEqual(images.shape, (2, info.height, info.width, info.depth))

    @parameterized.parameters('inputs', 'check', 'raw_images', 'EVAL_SIZE')
    def test_a_data_set_that_lacks_something_is_refused(self, lacking):
        self.register(complete_module(**{lacking: None}))
        info = DatasetInfo(1, 1, 1)
        request = InputRequest('.', 'test')
        for use in (
            lambda: input_data.raw_images('circles', info),
            lambda: input_data.inputs('circles', request),
            lambda: input_data.check('circles', request),
        ):
            with self.assertRaisesRegex(
                DataError,
                f'^--dataset=circles: found no {lacking} in circles; expected .*{lacking}',
            ):
                use()

    def test_prediction_asks_the_data_set_itself(self):
        module = complete_module()
        module.raw_images = lambda info: (info, 'as circles say')
        self.register(module)
        info = DatasetInfo(1, 1, 1)
        self.assertEqual(input_data.raw_images('circles', info), (info, 'as circles say'))

    def test_unknown_data_set(self):
        with self.assertRaisesRegex(DataError, "--dataset: unknown data set 'squares'.*mnist"):
            input_data.raw_images('squares', DatasetInfo(1, 1, 1))

    def test_raw_digits_are_treated_as_the_reader_treats_them(self):
        folder = self.create_tempdir().full_path
        images, _ = mnist_testing.write_raw(folder)['test']
        record_testing.write_records(
            f'{folder}/test_0shifted_mnist.tfrecords',
            [record_testing.single_record(image, 1) for image in images],
        )
        for name in ('mnist', 'shifted_mnist'):
            dataset, info = input_data.inputs(name, InputRequest(folder, 'test'))
            raw = input_data.raw_images(name, info)
            self.assertEqual(raw.shape, (*images.shape[1:], 1))
            [batch] = dataset.as_numpy_iterator()
            self.assertAllEqual(raw.to_input(tf.constant(images[..., None])), batch['images'])
            self.assertAllEqual(batch['images'][..., 0], images.astype(np.float32) / 255)

    def test_raw_photographs_are_treated_as_the_reader_treats_them(self):
        folder = self.create_tempdir().full_path
        stored = cifar10_testing.write_binary(folder)['test_batch'].transpose(0, 2, 3, 1)
        dataset, info = input_data.inputs('cifar10', InputRequest(folder, 'test'))
        [batch] = dataset.as_numpy_iterator()
        images = input_data.raw_images('cifar10', info).to_input(tf.constant(stored))
        self.assertAllEqual(images, batch['images'])
        expected = [cifar10_testing.standardize(image[4:28, 4:28]) for image in stored]
        self.assertAllClose(images, expected, atol=1e-5)

    def test_raw_stereo_pairs_are_treated_as_the_reader_treats_them(self):
        folder = self.create_tempdir().full_path
        toys = norb_testing.toys([0, 1])
        stored = toys['dat'].transpose(0, 2, 3, 1)  # [10, 96, 96, 2]
        rows = [
            record_testing.example(
                height=96, width=96, depth=2, label=1, meta=[0] * 4, image_raw=pair.tobytes()
            )
            for pair in toys['dat']
        ]
        path = record_testing.write_records(f'{folder}/records', rows)
        dataset, info = input_data.inputs('norb', InputRequest(path, 'test'))
        [batch] = dataset.as_numpy_iterator()
        images = input_data.raw_images('norb', info).to_input(tf.constant(stored))
        self.assertAllEqual(images, batch['images'])
        expected = [norb_testing.standardize(each[::2, ::2][8:40, 8:40]) for each in stored]
        self.assertAllClose(images, expected, atol=1e-4)

    def test_shift_is_for_what_is_moved_on_the_fly(self):
        folder = self.create_tempdir().full_path
        for name in ('mnist', 'affnist', 'norb', 'cifar10'):
            with self.assertRaisesRegex(DataError, f'^--shift=6: found --dataset={name}.*expected'):
                input_data.inputs(name, InputRequest(folder, 'train', shift=6))


if __name__ == '__main__':
    tf.test.main()
