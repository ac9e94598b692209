"""Tests of smallNORB's raw files."""

import gzip
import pathlib
import struct
import tempfile
import tracemalloc

import numpy as np
from absl.testing import absltest, parameterized

from input_data.errors import DataError
from input_data.norb import raw as norb_files
from input_data.norb import testing

_VALUES = np.arange(24).reshape(4, 3, 2)
_BYTES = struct.pack('<5i', 0x1E3D4C55, 3, 4, 3, 2) + bytes(range(24))


class MatrixTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())

    def _put(self, content: bytes, name: str = 'matrix') -> str:
        path = pathlib.Path(self.folder, name)
        path.write_bytes(content)
        return str(path)

    @parameterized.product(
        kind=('u1', '<i4'),
        shape=((24,), (6, 4), (4, 3, 2), (2, 3, 2, 2)),
        pack=(bytes, gzip.compress),
    )
    def test_reads_every_type_and_number_of_dimensions(self, kind, shape, pack):
        values = _VALUES.reshape(shape).astype(kind)
        matrix = norb_files.read_matrix(
            self._put(pack(testing.matrix_bytes(values))), kind, len(shape)
        )
        self.assertEqual(matrix.dtype, values.dtype)
        np.testing.assert_array_equal(matrix, values)

    def test_reads_bytes_written_by_hand(self):
        np.testing.assert_array_equal(norb_files.read_matrix(self._put(_BYTES), 'u1', 3), _VALUES)

    @parameterized.parameters(
        (b'', 'found magic number 0x;'),
        (_BYTES[:7], 'found magic number 0x554c3d1e030000;'),
        (_BYTES[:19], 'header of 19 bytes; expected 20'),
        (struct.pack('>5i', 0x1E3D4C55, 3, 4, 3, 2), 'magic number 0x1e3d4c5500000003'),
        (
            struct.pack('<5i', 0x1E3D4C52, 3, 4, 3, 2),
            'expected 0x554c3d1e03000000 (uint8, 3 dimensions)',
        ),
        (struct.pack('<5i', 0x1E3D4C55, 3, 4, 0, 2), '(4, 0, 2)'),
        (struct.pack('<5i', 0x1E3D4C55, 3, 4, -3, 2), '(4, -3, 2)'),
        (_BYTES[:-1], 'found 23 bytes of data; expected 24'),
        (_BYTES + b'\0', 'found bytes after the data; expected 24'),
        (gzip.compress(_BYTES[:-1]), 'found 23 bytes of data; expected 24'),
        (gzip.compress(_BYTES + b'\0'), 'found bytes after the data; expected 24'),
        (gzip.compress(_BYTES)[:-9], 'damaged gzip'),
        (gzip.compress(_BYTES)[:-8] + bytes(8), 'damaged gzip'),
        (gzip.compress(_BYTES)[:10] + b'\xff' * 30, 'damaged gzip'),
    )
    def test_bad_file_is_one_line_that_names_it(self, content, found):
        path = self._put(content)
        with self.assertRaises(DataError) as caught:
            norb_files.read_matrix(path, 'u1', 3)
        message = str(caught.exception)
        self.assertStartsWith(message, f'{path}: ')
        self.assertIn(found, message)
        self.assertIn('expected', message)
        self.assertNotIn('\n', message)

    def test_absent_file_and_folder_in_place_of_a_file(self):
        for path in (f'{self.folder}/none', self.folder):
            with self.assertRaisesRegex(DataError, f'{path}: .*expected a readable file'):
                norb_files.read_matrix(path, 'u1', 3)

    @parameterized.product(pack=(bytes, gzip.compress), sizes=((1, 2**31 - 1), (2**31 - 1, 1)))
    def test_lying_header_costs_no_memory(self, pack, sizes):
        path = self._put(pack(struct.pack('<5i', 0x1E3D4C55, 3, *sizes, 2**31 - 1) + b'x'))
        tracemalloc.start()
        try:
            with self.assertRaisesRegex(DataError, 'found 1 bytes of data'):
                norb_files.read_matrix(path, 'u1', 3)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLess(peak, 16 << 20)


class SplitTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.toys = testing.toys([4, 9], views=2)
        self.paths = testing.write_split(self.folder, 'train', self.toys)

    def _pack(self, kind: str):
        path = self.paths[kind]
        path.with_name(f'{path.name}.gz').write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()

    @parameterized.parameters('', 'dat', 'cat info', 'dat cat info')
    def test_reads_a_split_plain_or_compressed(self, packed):
        for kind in packed.split():
            self._pack(kind)
        testing.write_split(self.folder, 'test', testing.toys([0]))
        raw = norb_files.read_split(self.folder, 'train')
        np.testing.assert_array_equal(raw.categories, self.toys['cat'])
        np.testing.assert_array_equal(raw.info, self.toys['info'])
        np.testing.assert_array_equal(raw.images, self.toys['dat'])
        self.assertEqual(raw.objects(), {(c, i) for c in range(5) for i in (4, 9)})

    def test_plain_is_preferred_to_the_same_file_compressed(self):
        path = self.paths['dat']
        path.with_name(f'{path.name}.gz').write_bytes(b'')
        self.assertEqual(norb_files.find(self.folder, 'train')[0], str(path))

    def test_finding_names_what_is_missing(self):
        with self.assertRaisesRegex(DataError, r'--data_dir=.*found none; .*\*testing\*-dat.mat'):
            norb_files.find(self.folder, 'test')
        with self.assertRaisesRegex(DataError, '--data_dir=/nowhere: no such folder'):
            norb_files.find('/nowhere', 'train')
        self.paths['cat'].unlink()
        with self.assertRaisesRegex(DataError, f'{self.paths["cat"]}: no such file'):
            norb_files.find(self.folder, 'train')

    def test_several_sets_are_ambiguous(self):
        pathlib.Path(self.folder, 'other-training-dat.mat').write_bytes(b'')
        with self.assertRaisesRegex(DataError, 'found other-training-dat.mat, smallnorb-.*one'):
            norb_files.find(self.folder, 'train')

    @parameterized.parameters(
        ('dat', lambda toys: toys['dat'][:, :1], r'\(20, 1, 96, 96\); expected \[n, 2,'),
        ('dat', lambda toys: toys['dat'].astype(np.int16), 'uint8, 4 dim'),
        ('dat', lambda toys: toys['dat'][:, 0], 'uint8, 4 dim'),
        ('cat', lambda toys: toys['cat'][1:], r'\(19,\); expected \(20,\)'),
        ('cat', lambda toys: toys['cat'].astype(np.uint8), 'int32, 1 dim'),
        ('cat', lambda toys: np.where(np.arange(20) == 3, 5, toys['cat']), 'category 5 of .* 3'),
        ('cat', lambda toys: toys['cat'] - 1, 'category -1 of example 0'),
        ('info', lambda toys: toys['info'][:, :3], r'\(20, 3\); expected \(20, 4\)'),
        ('info', lambda toys: toys['info'] + [6, 0, 0, 0], 'instance 10 of example 0'),
        ('info', lambda toys: toys['info'] + [0, 9, 0, 0], 'elevation [0-9]+ of example 0'),
        ('info', lambda toys: toys['info'] - [0, 0, 99, 0], 'azimuth -[0-9]+ of example 0'),
        ('info', lambda toys: toys['info'] + [0, 0, 0, 6], 'lighting [0-9]+ of example 0'),
    )
    def test_file_that_does_not_fit_is_named(self, kind, change, found):
        values = change(self.toys)
        values = values.astype(np.int32) if values.dtype == np.int64 else values
        self.paths[kind].write_bytes(testing.matrix_bytes(values))
        with self.assertRaisesRegex(DataError, f'{self.paths[kind]}: found .*{found}'):
            norb_files.read_split(self.folder, 'train')


if __name__ == '__main__':
    absltest.main()
