"""The writer of CIFAR-10's records."""

import contextlib
import io
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from input_data.cifar10 import cifar10_records, testing


class Cifar10RecordsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

    def run_program(self, *arguments: str) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = cifar10_records.run(list(arguments))
        return status, output.getvalue(), errors.getvalue()

    @parameterized.parameters(
        ('train', testing.BATCHES[:5]),
        ('test', testing.BATCHES[5:]),
        ('valid_train', testing.BATCHES[:4]),
        ('valid_test', testing.BATCHES[4:5]),
    )
    def test_a_record_is_the_binary_versions(self, split, batches):
        testing.write_binary(self.folder / 'cifar-10-batches-bin', count=3)
        arguments = f'--data_dir={self.folder}', f'--output_dir={self.folder}/new/deep'
        status, output, _ = self.run_program(*arguments, f'--split={split}')
        path = self.folder / 'new' / 'deep' / f'{split}_cifar10.tfrecords'
        self.assertEqual((status, output), (0, f'{path}: {3 * len(batches)} records\n'))
        self.assertEqual([*path.parent.iterdir()], [path])
        found = b''
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            features = tf.train.Example.FromString(serialized).features.feature
            self.assertCountEqual(features, ['height', 'width', 'depth', 'label', 'image_raw'])
            sizes = [features[name].int64_list.value[0] for name in ('height', 'width', 'depth')]
            self.assertEqual(sizes, [32, 32, 3])
            found += bytes([features['label'].int64_list.value[0]])
            found += features['image_raw'].bytes_list.value[0]
        folder = self.folder / 'cifar-10-batches-bin'
        self.assertEqual(found, b''.join((folder / f'{b}.bin').read_bytes() for b in batches))

    def test_more_images_than_one_block(self):
        count = 2500
        images = np.zeros((count, 3, 32, 32), np.uint8)
        images[:, 0, 0, 0], images[:, 0, 0, 1] = np.divmod(np.arange(count), 256)
        testing.write_batch(self.folder / 'test_batch.bin', images, np.arange(count) % 10)
        path, written = cifar10_records.write(str(self.folder), 'test', str(self.folder))
        self.assertEqual(written, count)
        labels = []
        for serialized in tf.data.TFRecordDataset(path).as_numpy_iterator():
            features = tf.train.Example.FromString(serialized).features.feature
            first, second = features['image_raw'].bytes_list.value[0][:2]
            self.assertEqual(first * 256 + second, len(labels))
            labels.append(features['label'].int64_list.value[0])
        self.assertEqual(labels, [number % 10 for number in range(count)])

    @parameterized.parameters(
        ((), '--data_dir'),
        (('--nonsense',), 'nonsense'),
        (('extra',), 'extra'),
        (('--data_dir=FOLDER', '--split=dev'), '--split=dev'),
        (('--data_dir=FOLDER/none',), 'data_batch_1.bin'),
        (('--data_dir=FOLDER', '--output_dir=FOLDER/test_batch.bin/x'), 'test_batch.bin'),
    )
    def test_mistakes_are_one_line(self, arguments, named):
        testing.write_binary(self.folder, count=1)
        arguments = [argument.replace('FOLDER', str(self.folder)) for argument in arguments]
        status, output, errors = self.run_program(*arguments)
        self.assertEqual((status, output), (1, ''))
        self.assertRegex(errors, f'^cifar10_records: .*{named}.*\n$')

    def test_damage_leaves_the_old_file(self):
        testing.write_binary(self.folder, count=1)
        old = self.folder / 'test_cifar10.tfrecords'
        old.write_bytes(b'old')
        (self.folder / 'test_batch.bin').write_bytes(b'\1' * 100)
        status, _, errors = self.run_program(f'--data_dir={self.folder}', '--split=test')
        self.assertEqual(status, 1)
        self.assertIn('test_batch.bin: found 100 bytes', errors)
        self.assertEqual(old.read_bytes(), b'old')

    def test_help(self):
        status, output, _ = self.run_program('--help')
        self.assertEqual(status, 0)
        self.assertIn('--split', output)


if __name__ == '__main__':
    absltest.main()
