"""The reader of affNIST: which files it takes, what it says they are, and the batches."""

import os
import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

import input_data
from input_data import Batching, DataError, InputRequest, inputs, testing
from input_data.affnist import affnist_input, affnist_make, standin
from input_data.affnist.testing import upright_digits, write_mat
from input_data.mnist.testing import write_raw


def read(data_dir, split='test', **overrides):
    """All batches of a test split, or ten of a training split, as one; and the facts."""
    dataset, info = inputs('affnist', InputRequest(str(data_dir), split, **overrides))
    batches = dataset.take(10) if split == 'train' else dataset
    batches = list(batches.as_numpy_iterator())
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}, info


class AffnistInputTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def write(self, name, count=25, seed=0):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        images, labels = upright_digits(count, seed)
        write_mat(path, images, labels)
        return images, labels

    def write_standin(self):
        raw = self.create_tempdir().full_path
        write_raw(raw, size=(20, 20))
        arguments = f'--data_dir={raw} --output_dir={self.directory} --per_digit=2'
        with mock.patch('builtins.print'):
            self.assertEqual(affnist_make.run([*arguments.split(), '--num_workers=1']), 0)

    @parameterized.parameters('', 'test.mat')
    def test_official_file(self, name):
        images, labels = self.write('test.mat')
        features, info = read(os.path.join(self.directory, name), eval_batch_size=10)
        self.assertEqual((info.height, info.width, info.depth), (40, 40, 1))
        self.assertEqual((info.num_classes, info.num_targets, info.num_examples), (10, 1, 25))
        self.assertEqual(info.note, 'affNIST (official test.mat)')
        self.assertAllEqual(features['images'][..., 0], images.astype(np.float32) / 255)
        self.assertAllEqual(features['target_images'][:, 0], features['images'])
        self.assertAllEqual(features['labels'], np.eye(10)[labels])
        self.assertAllEqual(features['target_labels'], labels[:, None])
        self.assertDTypeEqual(features['target_labels'], np.int32)

    @parameterized.parameters('', 'test_batches')
    def test_official_batches_in_order_of_their_numbers(self, name):
        written = [self.write(f'test_batches/{n}.mat', count=12, seed=n) for n in range(1, 12)]
        images = np.concatenate([each[0] for each in written])
        features, info = read(os.path.join(self.directory, name))
        self.assertAllEqual(features['images'][..., 0], images.astype(np.float32) / 255)
        self.assertEqual(info.note, 'affNIST (official 1.mat to 11.mat)')
        os.remove(f'{self.directory}/test_batches/3.mat')
        with self.assertRaisesRegex(DataError, 'found 4.mat; expected 3.mat before it'):
            read(os.path.join(self.directory, name))

    @parameterized.parameters((7, 7), (12, 12), (20, 20), (1000, 36))
    def test_eval_size(self, eval_size, expected):
        written = [self.write(f'{n}.mat', count=12, seed=n) for n in range(1, 4)]
        images = np.concatenate([each[0] for each in written])[:expected]
        features, info = read(self.directory, eval_size=eval_size)
        self.assertEqual(info.num_examples, expected)
        self.assertAllEqual(features['images'][..., 0], images.astype(np.float32) / 255)

    def test_default_is_the_whole_official_set(self):
        self.write('test.mat')
        with mock.patch.object(affnist_input.raw, 'read', wraps=affnist_input.raw.read) as reader:
            read(self.directory)
        self.assertEqual(reader.call_args.args[1], 320_000)

    def test_training_on_official_files_if_asked(self):
        images, _ = self.write('training.mat')
        self.write('test.mat', seed=1)
        cut = Batching(5, seed=3)
        features, info = read(self.directory, 'train', batching=cut)
        self.assertEqual(info.note, 'affNIST (official training.mat)')
        shown = {image.tobytes() for image in features['images'][:25]}
        self.assertEqual(shown, {image.tobytes() for image in images.astype(np.float32) / 255})
        again, _ = read(self.directory, 'train', batching=cut)
        self.assertAllEqual(again['images'], features['images'])

    def test_standin(self):
        self.write_standin()
        for name in ('', standin.FILE_NAME):
            features, info = read(os.path.join(self.directory, name), eval_batch_size=7)
            self.assertEqual(
                info.note, 'stand-in for affNIST made from MNIST (not the official set)'
            )
            self.assertEqual((info.height, info.width, info.num_examples), (40, 40, 24))
            self.assertAllEqual(features['target_labels'][:, 0], [*range(10), 0, 1] * 2)
            self.assertAllInRange(features['images'], 0, 1)
        input_data.check('affnist', InputRequest(self.directory, 'test'))
        self.write('test.mat')
        self.assertEqual(read(self.directory)[1].note, 'affNIST (official test.mat)')

    def test_standin_is_not_for_training(self):
        self.write_standin()
        for data_dir, message in (
            (f'{self.directory}/{standin.FILE_NAME}', 'found test digits; expected training data'),
            (self.directory, 'found no training_and_validation.mat'),
        ):
            with self.assertRaisesRegex(DataError, message):
                read(data_dir, 'train')

    def test_what_is_refused(self):
        self.write('test.mat')
        records = testing.write_singles(self.create_tempdir().full_path)
        for data_dir, overrides, message in (
            (self.directory, dict(validate=True), '^--validate: affNIST is for testing'),
            (self.directory, dict(num_targets=2), '^--num_targets=2: expected 1'),
            (f'{self.directory}/none', {}, '/none: no such directory, file'),
            (self.create_tempdir().full_path, {}, 'found no test.mat or .*affnist_standin_test'),
            (records, {}, f"^{records}: found records that are not affNIST's"),
        ):
            with self.assertRaisesRegex(DataError, message):
                read(data_dir, **overrides)

    def test_check_finds_the_broken_batch(self):
        for number in range(1, 4):
            self.write(f'{number}.mat')
        request = InputRequest(self.directory, 'test')
        input_data.check('affnist', request)
        broken = pathlib.Path(self.directory, '3.mat')
        broken.write_bytes(broken.read_bytes()[:5000])
        with self.assertRaisesRegex(DataError, f'^{broken}: '):
            input_data.check('affnist', request)


if __name__ == '__main__':
    tf.test.main()
