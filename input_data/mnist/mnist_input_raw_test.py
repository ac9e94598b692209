"""Raw folders of any size and number of classes: what is read and what is refused."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from input_data import DataError, InputRequest, inputs
from input_data.mnist import mnist_input_raw, raw, testing


class MnistInputRawTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def request(self, split='test', **changed):
        return InputRequest(self.directory, split, **changed)

    @parameterized.parameters(
        ('train', False, 'train', slice(None)),
        ('test', False, 'test', slice(None)),
        ('train', True, 'train', slice(5, None)),
        ('test', True, 'train', slice(5)),
    )
    def test_splits(self, split, validate, part, rows):
        written = testing.write_raw(self.directory)
        digits = mnist_input_raw.read(self.request(split, validate=validate))
        self.assertAllEqual(digits.images, written[part][0][rows])
        self.assertAllEqual(digits.labels, written[part][1][rows])

    @parameterized.product(split=('train', 'test'), validate=(False, True), highest_in=(0, 1))
    def test_classes_are_those_of_both_files(self, split, validate, highest_in):
        testing.write_raw(self.directory)
        part = ('train', 'test')[highest_in]
        path = f'{self.directory}/{raw.file_names(part)[1]}'
        labels = raw.read_idx(path, 1).copy()
        labels[-1] = 46  # the last one, which the held out part of the training set lacks
        raw.write_idx(path, labels)
        digits = mnist_input_raw.read(self.request(split, validate=validate))
        self.assertEqual(digits.num_classes, 47)

    @parameterized.parameters(('shifted_mnist', 1, (20, 9)), ('multi_mnist', 2, (28, 17)))
    def test_sizes_and_classes_reach_the_batches(self, dataset, num_targets, size):
        testing.write_raw(self.directory, size=(20, 9), classes=4)
        for split in ('train', 'test'):
            batches, info = inputs(dataset, self.request(split, num_targets=num_targets))
            batch = next(batches.as_numpy_iterator())
            self.assertEqual((info.height, info.width, info.depth), (*size, 1))
            self.assertEqual((info.num_classes, info.num_targets), (4, num_targets))
            self.assertEqual(batch['images'].shape[1:], (*size, 1))
            self.assertEqual(batch['target_images'].shape[1:], (num_targets, *size, 1))
            self.assertEqual(batch['labels'].shape[1:], (4,))

    @parameterized.parameters(('train', 't10k', '6x7', '6x5'), ('test', 'train', '6x5', '6x7'))
    def test_other_sizes_in_the_other_file(self, split, other, found, expected):
        testing.write_raw(self.directory)
        testing.write_raw(self.directory, {'test': 4}, size=(6, 7))
        message = f'/{other}-images-idx3-ubyte: found images of {found}; expected {expected} as in'
        with self.assertRaisesRegex(DataError, message):
            mnist_input_raw.read(self.request(split))

    @parameterized.parameters(*range(4))
    def test_absent_file(self, which):
        testing.write_raw(self.directory)
        names = [name for part in ('train', 'test') for name in raw.file_names(part)]
        os.remove(f'{self.directory}/{names[which]}')
        for split in ('train', 'test'):
            with self.assertRaisesRegex(DataError, f'found no {names[which]}'):
                mnist_input_raw.read(self.request(split))

    @parameterized.parameters(('shifted_mnist', 2, 1), ('multi_mnist', 1, 2))
    def test_number_of_targets(self, dataset, asked, expected):
        testing.write_raw(self.directory)
        message = f'--num_targets={asked}: expected {expected} for --dataset={dataset}'
        with self.assertRaisesRegex(DataError, message):
            inputs(dataset, self.request(num_targets=asked))

    def test_one_class_makes_no_pairs(self):
        testing.write_raw(self.directory, classes=1)
        with self.assertRaisesRegex(DataError, 'all 30 digits have label 0'):
            inputs('multi_mnist', self.request('train', num_targets=2))

    def test_damaged_file_is_named(self):
        testing.write_raw(self.directory)
        path = f'{self.directory}/{raw.file_names("train")[0]}'
        content = np.fromfile(path, np.uint8)
        content[:-3].tofile(path)
        with self.assertRaisesRegex(DataError, f'{path}: found 897 bytes of data; expected 900'):
            inputs('shifted_mnist', self.request('train'))


if __name__ == '__main__':
    tf.test.main()
