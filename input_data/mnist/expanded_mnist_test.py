"""Expanded MNIST (40x40, what affNIST is trained on): from mnist_shift.py through the reader."""

import contextlib
import io
import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import Batching, InputRequest, inputs
from input_data.mnist import augment, mnist_shift, testing


class ExpandedMnistTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        raw = self.create_tempdir().full_path
        self.images, self.labels = testing.write_raw(raw, {'train': 3, 'test': 3}, size=(28, 28))[
            'train'
        ]
        self.directory = self.create_tempdir().full_path
        flags = f'--data_dir={raw} --output_dir={self.directory} --split=train --shift=6 --pad=6'
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(mnist_shift.run(flags.split()), 0)

    @parameterized.parameters('', 'train_6shifted_mnist.tfrecords')
    def test_every_shift_on_40_pixels_is_trained_on(self, name):
        self.assertEqual(os.listdir(self.directory), ['train_6shifted_mnist.tfrecords'])
        cut = Batching(169, seed=1)
        request = InputRequest(os.path.join(self.directory, name), 'train', batching=cut)
        dataset, info = inputs('mnist', request)
        self.assertEqual((info.height, info.width, info.num_examples), (40, 40, 3 * 169))
        batches = list(dataset.take(3).as_numpy_iterator())  # one epoch
        images = np.concatenate([batch['images'] for batch in batches])[..., 0]
        labels = np.concatenate([batch['target_labels'] for batch in batches])[:, 0]
        expected = testing.all_shifts(augment.pad_images(self.images, 6), 6)  # [3, 169, 40, 40]
        expected = expected.astype(np.float32) / 255
        for digit, label in enumerate(self.labels):
            found = {image.tobytes() for image in images[labels == label]}
            self.assertEqual(found, {image.tobytes() for image in expected[digit]})


if __name__ == '__main__':
    tf.test.main()
