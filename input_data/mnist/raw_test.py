"""Tests of MNIST's raw files."""

import gzip
import os
import tempfile
import tracemalloc

import numpy as np
from absl.testing import absltest, parameterized

from input_data.errors import DataError
from input_data.mnist import raw

_IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
_LABELS = np.array([3, 1, 2], np.uint8)
# Written out by hand from the format's description, not by the code under test.
_IMAGE_BYTES = bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]) + bytes(range(60))
_LABEL_BYTES = bytes([0, 0, 8, 1, 0, 0, 0, 3, 3, 1, 2])


class IdxTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())

    def _put(self, name: str, content: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as file:
            file.write(content)
        return path

    @parameterized.parameters(lambda content: content, gzip.compress)
    def test_reads_what_the_format_says(self, pack):
        images = raw.read_idx(self._put('images', pack(_IMAGE_BYTES)), 3)
        labels = raw.read_idx(self._put('labels', pack(_LABEL_BYTES)), 1)
        self.assertEqual((images.dtype, labels.dtype), (np.uint8, np.uint8))
        np.testing.assert_array_equal(images, _IMAGES)
        np.testing.assert_array_equal(labels, _LABELS)

    def test_writes_what_the_format_says(self):
        for name, values, expected in (
            ('images', _IMAGES, _IMAGE_BYTES),
            ('labels', _LABELS, _LABEL_BYTES),
        ):
            path = os.path.join(self.folder, name)
            raw.write_idx(path, values)
            with open(path, 'rb') as file:
                self.assertEqual(file.read(), expected)
        self.assertCountEqual(os.listdir(self.folder), ['images', 'labels'])

    @parameterized.parameters(
        (b'', '0x;'),
        (b'\0\0\x08', 'magic'),
        (b'\0\0\x08\x01' + _IMAGE_BYTES[4:], '0x00000801'),
        (b'\0\0\x0d\x03' + _IMAGE_BYTES[4:], '0x00000d03'),
        (_IMAGE_BYTES[:10], 'header of 10'),
        (_IMAGE_BYTES[:-1], '59 bytes'),
        (_IMAGE_BYTES + b'\0', 'after the data'),
        (_IMAGE_BYTES[:4] + bytes(4) + _IMAGE_BYTES[8:], '(0, 4, 5)'),
        (_IMAGE_BYTES[:8] + b'\xff' * 4 + _IMAGE_BYTES[12:], '4294967295'),
        (gzip.compress(_IMAGE_BYTES)[:-9], 'gzip'),
        (gzip.compress(_IMAGE_BYTES)[:10] + b'\xff' * 30, 'gzip'),
        (gzip.compress(_IMAGE_BYTES)[:-8] + bytes(8), 'gzip'),
    )
    def test_bad_file_is_one_line_that_names_it(self, content, found):
        path = self._put('images', content)
        with self.assertRaises(DataError) as caught:
            raw.read_idx(path, 3)
        message = str(caught.exception)
        self.assertStartsWith(message, f'{path}: ')
        self.assertIn(found, message)
        self.assertIn('expected', message)
        self.assertNotIn('\n', message)

    def test_absent_file_and_folder_in_place_of_a_file(self):
        for path in (os.path.join(self.folder, 'none'), self.folder):
            with self.assertRaisesRegex(DataError, path):
                raw.read_idx(path, 1)

    @parameterized.parameters(lambda content: content, gzip.compress)
    def test_lying_header_costs_no_memory(self, pack):
        path = self._put('images', pack(b'\0\0\x08\x03\xff\xff\xff\xff\0\0\x20\0\0\0\x20\0' + b'x'))
        tracemalloc.start()
        try:
            with self.assertRaisesRegex(DataError, 'found 1 bytes'):
                raw.read_idx(path, 3)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(peak, 16 << 20)

    @parameterized.parameters('', '.gz', 'dot', 'dot.gz')
    def test_find_knows_the_spellings(self, spelling):
        name = 'train-images-idx3-ubyte'
        written = name + spelling.removeprefix('dot')
        if spelling.startswith('dot'):
            written = written.replace('-idx3', '.idx3')
        path = self._put(written, _IMAGE_BYTES)
        self.assertEqual(raw.find(self.folder, name), path)
        self.assertIsNone(raw.find_any(self.folder, 't10k-images-idx3-ubyte'))

    def test_find_names_what_is_missing(self):
        with self.assertRaisesRegex(DataError, 'train-labels-idx1-ubyte'):
            raw.find(self.folder, 'train-labels-idx1-ubyte')
        with self.assertRaisesRegex(DataError, '--data_dir=.*no such folder'):
            raw.find(os.path.join(self.folder, 'none'), 'train-labels-idx1-ubyte')

    def test_counts_must_match(self):
        images, labels = raw.file_names('test')
        self._put(images, _IMAGE_BYTES)
        self._put(labels, bytes([0, 0, 8, 1, 0, 0, 0, 2, 3, 1]))
        with self.assertRaisesRegex(DataError, 'found 2 labels; expected 3'):
            raw.read_pair(self.folder, 'test')

    @parameterized.parameters(
        ('train', 0, 0, 13),
        ('train', 5, 0, 5),
        ('train', -1, 0, 13),
        ('train', 99, 0, 13),
        ('valid_test', 0, 0, 2),
        ('valid_train', 0, 2, 13),
        ('valid_train', 6, 1, 6),
        ('test', 0, 50, 52),
        ('test', 1, 50, 51),
    )
    def test_splits(self, split, max_load, first, last):
        for part, values in (('train', np.arange(13)), ('test', np.arange(50, 52))):
            images_name, labels_name = raw.file_names(part)
            values = values.astype(np.uint8)
            raw.write_idx(os.path.join(self.folder, labels_name), values)
            raw.write_idx(os.path.join(self.folder, images_name), values.reshape(-1, 1, 1))
        images, labels = raw.read_split(self.folder, split, max_load)
        np.testing.assert_array_equal(labels, np.arange(first, last))
        np.testing.assert_array_equal(images[:, 0, 0], labels)
        with self.assertRaisesRegex(DataError, '--split=valid_test: found 5'):
            raw.read_split(self.folder, 'valid_test', 5)
        with self.assertRaisesRegex(DataError, '--split=dev: .*valid_train'):
            raw.read_split(self.folder, 'dev')

    def test_held_out_part_of_mnist_is_the_first_ten_thousand(self):
        labels = np.repeat(np.arange(6, dtype=np.uint8), 10_000)
        images_name, labels_name = raw.file_names('train')
        raw.write_idx(os.path.join(self.folder, labels_name), labels)
        raw.write_idx(os.path.join(self.folder, images_name), labels.reshape(-1, 1, 1))
        self.assertEqual(set(raw.read_split(self.folder, 'valid_test')[1]), {0})
        self.assertLen(raw.read_split(self.folder, 'valid_test')[1], 10_000)
        np.testing.assert_array_equal(
            raw.read_split(self.folder, 'valid_train')[1], labels[10_000:]
        )


if __name__ == '__main__':
    absltest.main()
