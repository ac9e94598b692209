"""MATLAB files in affNIST's structure: what is read and what is refused."""

import numpy as np
import scipy.io
from absl.testing import absltest, parameterized

from input_data import DataError
from input_data.affnist import raw
from input_data.affnist.testing import upright_digits, write_mat


class AffnistMatTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.create_tempdir().full_path + '/test.mat'

    @parameterized.product(row_major=(False, True), dtype=(np.uint8, np.float64))
    def test_reads_both_orders_of_pixels(self, row_major, dtype):
        images, labels = upright_digits(25)
        write_mat(self.path, images.astype(dtype), labels.astype(dtype), row_major)
        found, found_labels = raw.read(self.path)
        self.assertEqual((found.dtype, found_labels.dtype), (np.uint8, np.uint8))
        np.testing.assert_array_equal(found, images)
        np.testing.assert_array_equal(found_labels, labels)

    @parameterized.parameters(True, False)
    def test_ones_tell_the_order_whatever_is_turned_and_slanted(self, row_major):
        images, labels = upright_digits(200)
        for slant in (-0.7, 0.7):  # a shear of 0.2 and 20 degrees of rotation together
            slanted = images.copy()
            for row in range(40):
                slanted[:, row] = np.roll(images[:, row], round((row - 20) * slant), axis=-1)
            write_mat(self.path, slanted, labels, row_major)
            np.testing.assert_array_equal(raw.read(self.path)[0], slanted)

    def test_without_ones_matlabs_order(self):
        images, labels = upright_digits(25)
        write_mat(self.path, images, np.where(labels == 1, 7, labels))
        np.testing.assert_array_equal(raw.read(self.path)[0], images)

    def test_limit(self):
        images, labels = upright_digits(25)
        write_mat(self.path, images, labels)
        found, found_labels = raw.read(self.path, limit=12)
        np.testing.assert_array_equal(found, images[:12])
        np.testing.assert_array_equal(found_labels, labels[:12])

    @parameterized.named_parameters(
        ('struct', {'other': 1}, 'found no struct affNISTdata'),
        ('no_struct', {'affNISTdata': np.zeros(3)}, 'found no struct affNISTdata'),
        ('field', {'affNISTdata': {'image': np.zeros((1600, 2))}}, 'found fields image'),
        (
            'size',
            {'affNISTdata': {'image': np.zeros((784, 2)), 'label_int': [[1, 2]]}},
            r'found image \(784, 2\); expected \(1600, n\)',
        ),
        (
            'count',
            {'affNISTdata': {'image': np.zeros((1600, 2)), 'label_int': [[1, 2, 3]]}},
            'found 3 labels; expected 2',
        ),
        (
            'label',
            {'affNISTdata': {'image': np.zeros((1600, 2)), 'label_int': [[1, 10]]}},
            'found label_int from 1 to 10; expected 0 to 9',
        ),
        (
            'pixel',
            {'affNISTdata': {'image': np.full((1600, 2), -3), 'label_int': [[1, 2]]}},
            'found image from -3 to -3; expected 0 to 255',
        ),
        (
            'fraction',
            {'affNISTdata': {'image': np.full((1600, 2), 0.5), 'label_int': [[1, 2]]}},
            'found fractions in image',
        ),
        (
            'nan',
            {'affNISTdata': {'image': np.full((1600, 2), np.nan), 'label_int': [[1, 2]]}},
            'found image from nan to nan',
        ),
        (
            'text',
            {'affNISTdata': {'image': np.zeros((1600, 2)), 'label_int': 'ab'}},
            'found label_int of another type; expected numbers',
        ),
    )
    def test_other_contents(self, contents, message):
        scipy.io.savemat(self.path, contents)
        with self.assertRaisesRegex(DataError, f'^{self.path}: {message}'):
            raw.read(self.path)

    def test_damaged_files(self):
        write_mat(self.path, *upright_digits(25))
        with open(self.path, 'rb') as file:
            content = file.read()
        for damaged in (content[:-20000], content[:100], b'', b'\x89PNG' * 200, b'\x89HDF' * 200):
            with open(self.path, 'wb') as file:
                file.write(damaged)
            with self.assertRaisesRegex(DataError, f'^{self.path}: found no readable MATLAB file'):
                raw.read(self.path)


if __name__ == '__main__':
    absltest.main()
