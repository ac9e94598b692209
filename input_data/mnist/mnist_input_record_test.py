"""The record reader: values, order, file names, and what it refuses."""

import mmap
import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import input_data
from input_data import Batching, DataError, InputRequest, inputs, testing
from input_data.records import read as records
from input_data.records.layout import RecordLayout


def read(data_dir, split='test', **overrides):
    """All batches of a test split, or ten of a training split."""
    dataset, info = inputs('mnist', InputRequest(str(data_dir), split, **overrides))
    batches = dataset.take(10) if split == 'train' else dataset
    return list(batches.as_numpy_iterator()), info


class MnistInputRecordTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def test_single_digits_in_order(self):
        testing.write_singles(self.directory, 'test_0', count=25, size=12)
        images, labels = testing.digit_images(25, 12)
        batches, info = read(self.directory, eval_batch_size=10)
        self.assertEqual([len(batch['images']) for batch in batches], [10, 10, 5])
        self.assertEqual((info.height, info.width, info.depth), (12, 12, 1))
        self.assertEqual((info.num_classes, info.num_targets, info.num_examples), (10, 1, 25))
        whole = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
        self.assertAllClose(whole['images'][..., 0], images / 255)
        self.assertAllClose(whole['target_images'][:, 0, ..., 0], images / 255)
        self.assertAllEqual(whole['labels'], np.eye(10)[labels])
        self.assertAllEqual(whole['target_labels'], labels[:, None])
        self.assertDTypeEqual(whole['target_labels'], np.int32)
        self.assertDTypeEqual(whole['images'], np.float32)

    @parameterized.parameters(
        ('test_2', None, '(shifts of 3 digits)'),  # 25 shifts each, the last digit's cut off
        ('test_2', 50, '(shifts of 2 digits)'),
        ('test_1', None, '(shifts of 7 digits)'),
        ('test_0', None, ''),
    )
    def test_says_of_how_many_digits_the_examples_are_shifts(self, name, eval_size, note):
        path = testing.write_singles(self.directory, name, count=60)
        request = InputRequest(path, 'test', eval_size=eval_size)
        self.assertEqual(inputs('mnist', request)[1].note, note)

    def test_pairs(self):
        testing.write_pairs(f'{self.directory}/multitest_4shifted_mnist.tfrecords', 25, 12)
        images, labels = testing.digit_images(26, 12)
        batches, info = read(self.directory, num_targets=2, eval_batch_size=25)
        self.assertEqual(info.num_targets, 2)
        merged = np.minimum(images[:-1].astype(int) + images[1:], 255)
        self.assertAllClose(batches[0]['images'][..., 0], merged / 255)
        self.assertAllClose(batches[0]['target_images'][:, 0, ..., 0], images[:-1] / 255)
        self.assertAllClose(batches[0]['target_images'][:, 1, ..., 0], images[1:] / 255)
        self.assertAllEqual(batches[0]['labels'].sum(axis=1), np.full(25, 2))
        self.assertAllEqual(
            batches[0]['target_labels'], np.stack([labels[:-1], labels[1:]], axis=1)
        )

    @parameterized.parameters('test_0', 'test_3')
    def test_a_folders_name_is_no_pattern(self, name):
        folder = pathlib.Path(self.directory, '[a]*')
        folder.mkdir()
        testing.write_singles(str(folder), name, count=7)
        self.assertEqual(read(folder)[1].num_examples, 7)

    @parameterized.parameters(records.MEMORY_LIMIT_BYTES, 0)
    def test_training_shuffles_whole_epochs_and_enters_in_the_middle(self, memory_limit):
        self.enter_context(
            tf.compat.v1.test.mock.patch.object(records, 'MEMORY_LIMIT_BYTES', memory_limit)
        )
        for shard in range(3):
            path = pathlib.Path(self.directory, f'{shard}')
            path.mkdir()
            testing.write_singles(str(path), count=10 + shard)
        pattern = f'{self.directory}/*/train_2shifted_mnist.tfrecords'

        def stream(steps, seed=1, **batching):
            request = InputRequest(pattern, 'train', batching=Batching(6, seed=seed, **batching))
            dataset, _ = inputs('mnist', request)
            rows = [
                b['images'].sum(axis=(1, 2, 3)) for b in dataset.take(steps).as_numpy_iterator()
            ]
            return np.concatenate(rows)

        whole = stream(22)  # four epochs of 33
        for epoch in range(4):
            one = whole[33 * epoch : 33 * (epoch + 1)]
            self.assertAllClose(np.sort(one), np.sort(whole[:33]))
        self.assertNotAllClose(whole[:33], whole[33:66])
        self.assertAllEqual(stream(22), whole)
        self.assertNotAllClose(stream(22, seed=2), whole)
        for first_step in (1, 5, 6, 17):
            entered = stream(22 - first_step, first_step=first_step)
            self.assertAllEqual(entered, whole[6 * first_step :])
        workers = [stream(22, num_workers=2, worker=worker) for worker in range(2)]
        interleaved = np.stack([part.reshape(22, 3) for part in workers], axis=1)
        self.assertAllEqual(interleaved.ravel(), whole)
        self.assertAllEqual(stream(44, replicas=2), whole)

    @parameterized.parameters(
        ('train', False, 'train_2'),
        ('test', False, 'test_0'),
        ('train', True, 'valid_train_2'),
        ('test', True, 'valid_test_0'),
        ('train', False, 'train_6'),
    )
    def test_finds_the_files_of_a_directory(self, split, validate, name):
        other = {'train': 'test', 'test': 'train'}[split]
        testing.write_singles(self.directory, name, count=7)
        testing.write_singles(self.directory, f'{other}_3', count=9)
        _, info = read(self.directory, split, validate=validate)
        self.assertEqual(info.num_examples, 7)

    def test_reads_the_name_that_the_releases_reader_asked_for(self):
        path = pathlib.Path(testing.write_singles(self.directory, 'train_2', count=7))
        path.rename(path.with_name('train_2shifted_mnist_valid.tfrecords'))
        _, info = read(self.directory, 'train', validate=True)
        self.assertEqual(info.num_examples, 7)

    def test_shards(self):
        for shard in range(2):
            name = f'multitest_6shifted_mnist.tfrecords-{shard:05d}-of-00002'
            testing.write_pairs(f'{self.directory}/{name}', 5)
        prefix = f'{self.directory}/multitest_6shifted_mnist.tfrecords'
        for data_dir in (f'{prefix}@2', f'{prefix}-*', self.directory):
            _, info = read(data_dir, num_targets=2)
            self.assertEqual(info.num_examples, 10)
        with self.assertRaisesRegex(DataError, '1 of 3 shards|3 of 3 shards .*00000-of-00003'):
            read(f'{prefix}@3', num_targets=2)
        pathlib.Path(f'{prefix}-00001-of-00002').unlink()
        with self.assertRaisesRegex(DataError, '1 of 2 shards .* first is .*00001-of-00002'):
            read(self.directory, num_targets=2)

    def test_more_classes_than_ten(self):
        images, _ = testing.digit_images(30, 12)
        rows = [testing.single_record(image, i % 30) for i, image in enumerate(images)]
        path = testing.write_records(f'{self.directory}/letters', rows)
        self.assertEqual(read(path)[1].num_classes, 30)

    @parameterized.parameters(
        ('train_2', 'train', ''),
        ('train_6', 'train', 'from train_6shifted_mnist.tfrecords, since there is no train_2'),
        ('test_2', 'test', 'from test_2shifted_mnist.tfrecords, since there is no test_0shifted'),
    )
    def test_says_which_file_it_reads_in_place_of_the_default(self, name, split, note):
        path = testing.write_singles(self.directory, name, count=7)
        self.assertStartsWith(
            read(self.directory, split)[1].note, f'(shifts of 1 digits) {note}'.rstrip()
        )
        self.assertEqual(read(path, split)[1].note, '(shifts of 1 digits)')

    def test_several_shifts_are_ambiguous(self):
        testing.write_singles(self.directory, 'train_3')
        testing.write_singles(self.directory, 'train_4')
        with self.assertRaisesRegex(DataError, 'train_3.*train_4.*name the one'):
            read(self.directory, 'train')

    @parameterized.named_parameters(
        ('two heights', dict(height=[12, 12]), r'record 3: is \[12, 12\]x12x1, but the first'),
        ('no height', dict(height=[]), r'record 3: is \[\]x12x1, but the first'),
        ('label', dict(label=-4), 'record 3: label is -4'),
        ('size', dict(height=11), 'record 3: is 11x12x1, but the first record is 12x12x1'),
        ('bytes', dict(image_raw=b'123'), 'record 3: image_raw has 3 bytes, expected 144'),
    )
    def test_broken_record_is_named(self, overrides, message):
        images, labels = testing.digit_images(5, 12)
        rows = [testing.single_record(*pair) for pair in zip(images, labels, strict=True)]
        rows[3] = testing.single_record(images[3], **{'label': labels[3], **overrides})
        path = testing.write_records(f'{self.directory}/records', rows)
        with self.assertRaisesRegex(DataError, f'{path}: {message}'):
            read(path)

    def test_corrupt_cut_empty_and_foreign_files_are_named(self):
        path = pathlib.Path(testing.write_singles(self.directory, 'test_0', count=5, size=12))
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 255
        for bad, message in (
            (bytes(damaged), 'record 2 is corrupt'),
            (content[:-7], 'cut short in record 4'),
            (b'', 'is empty'),
            (b'\x89PNG and so on, for long enough', 'not a TFRecord file'),
        ):
            path.write_bytes(bad)
            with self.assertRaisesRegex(DataError, f'{path}: .*{message}'):
                read(self.directory)

    def test_damage_under_a_training_job_is_named(self):
        """Of a large set a record is looked at when a step wants it: it must not train unseen."""
        path = pathlib.Path(testing.write_singles(self.directory, count=20, size=12))
        self.enter_context(tf.compat.v1.test.mock.patch.object(records, 'MEMORY_LIMIT_BYTES', 0))
        request = InputRequest(self.directory, 'train', batching=Batching(20))
        batches, _ = inputs('mnist', request)
        content = bytearray(path.read_bytes())
        content[len(content) // 2 + 100] ^= 255  # among the pixels of record 10
        for bad, message in (
            (content, 'record 10 is corrupt'),
            (content[: len(content) // 2 + 100], 'cut short in record 10'),
        ):
            path.write_bytes(bad)
            with self.assertRaisesRegex(tf.errors.InvalidArgumentError, f'{path}: {message}'):
                next(iter(batches))
            named = self.assertRaisesRegex(DataError, f'{path}: {message}')
            with named, input_data.naming_faults('mnist', request):
                next(iter(batches))
        testing.write_singles(self.directory, count=5, size=12)  # whole, but another
        named = self.assertRaisesRegex(DataError, f'{path}: cut short .*; it has changed since')
        with named, input_data.naming_faults('mnist', request):
            next(iter(batches))

    def test_memory_does_not_grow_with_the_file(self):
        """256 MB of records, more than half of which are read."""
        images, labels = testing.digit_images(1000, 40)
        sizes = {'height': 40, 'width': 40, 'depth': 1}
        layout = RecordLayout(sizes, {'label': labels[:1], 'image_raw': images[:1]})
        block = layout.encode({'label': labels, 'image_raw': images}).tobytes()
        path = pathlib.Path(self.directory, 'records')
        with path.open('wb') as file:
            for _ in range(150):
                file.write(block)
        self.enter_context(tf.compat.v1.test.mock.patch.object(records, 'MEMORY_LIMIT_BYTES', 0))
        batches, info = inputs('mnist', InputRequest(str(path), 'train', batching=Batching(1000)))
        self.assertEqual(info.num_examples, 150_000)

        def resident():
            return int(pathlib.Path('/proc/self/statm').read_text().split()[1]) * mmap.PAGESIZE

        iterator = iter(batches)
        for _ in range(20):
            next(iterator)
        before = resident()
        for _ in range(100):
            next(iterator)
        self.assertLess(resident() - before, 60 << 20)

    def test_wrong_kind_of_record(self):
        testing.write_pairs(f'{self.directory}/pairs', 4)
        with self.assertRaisesRegex(DataError, 'not records of 1 target.* found .*label_1'):
            read(f'{self.directory}/pairs')


if __name__ == '__main__':
    tf.test.main()
