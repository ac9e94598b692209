"""What TensorBoard finds after training and evaluation."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from tensorboard.plugins.hparams import plugin_data_pb2

from input_data import testing
from jobs.testing import run_evaluation, run_training, small_options
from jobs.visualization import summaries

pytestmark = pytest.mark.slow

SMALL = 'num_prime_capsules=2'


def events_of(directory):
    """{tag: {step: value}} of a directory's event files, and metadata by tag."""
    values, metadata = {}, {}
    for path in sorted(pathlib.Path(directory).glob('events*')):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                values.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
                metadata.setdefault(value.tag, value.metadata)
    return values, metadata


def decoded(image_summary):
    """The first picture of a tf.summary.image."""
    return tf.io.decode_png(image_summary[2]).numpy()


class SummariesTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        self.run_dir = f'{self.directory}/run'

    def options(self, data=None, **overrides):
        defaults = dict(summary_dir=self.run_dir, hparams_override=SMALL, max_steps=4, save_step=2)
        return small_options(data or self.directory, **{**defaults, **overrides})

    def write_singles(self):
        testing.write_singles(self.directory, 'train_2')
        testing.write_singles(self.directory, 'test_0', count=25)

    def test_train_and_test_show_the_same_numbers(self):
        self.write_singles()
        run_training(self.options())
        evaluation, _ = run_evaluation(self.options(train=False))
        trained, _ = events_of(f'{self.run_dir}/train')
        tested, _ = events_of(f'{self.run_dir}/test')
        common = {
            'loss/total',
            'loss/classification',
            'loss/reconstruction_1',
            'accuracy',
            'almost_correct',
            'images_per_second',
        }
        self.assertContainsSubset(common | {'learning_rate', 'reconstructions'}, trained.keys())
        self.assertContainsSubset(common | {'confusion_matrix'}, tested.keys())
        self.assertContainsSubset(list(range(1, 5)), list(trained['loss/total']))
        parts = tested['loss/classification'][4] + tested['loss/reconstruction_1'][4]
        self.assertAllClose(tested['loss/total'][4], parts, rtol=1e-5)
        self.assertAllClose(evaluation.loss, parts, rtol=1e-5)
        self.assertGreater(decoded(tested['confusion_matrix'][4]).shape[0], 300)

    def test_pictures_at_checkpoints_only_and_of_the_same_examples(self):
        self.write_singles()
        run_training(self.options(max_steps=2))
        run_training(self.options(max_steps=5))
        pictures = events_of(f'{self.run_dir}/train')[0]['reconstructions']
        self.assertCountEqual(pictures, [2, 4, 5])
        tables = {step: decoded(picture) for step, picture in pictures.items()}
        size = 20 * summaries.PICTURE_SCALE
        # Inputs and targets stay; the reconstructions change.
        self.assertAllEqual(tables[2][:, : 2 * size], tables[5][:, : 2 * size])
        self.assertNotAllEqual(tables[2], tables[5])

    def test_pictures_change_nothing_in_training(self):
        self.write_singles()
        run_training(self.options(hparams_override=SMALL))
        first = tf.train.load_checkpoint(f'{self.run_dir}/train/model.ckpt-4')
        other = f'{self.directory}/other'
        verbose = f'{SMALL},verbose=true'
        run_training(self.options(summary_dir=other, hparams_override=verbose, save_step=1))
        second = tf.train.load_checkpoint(f'{other}/train/model.ckpt-4')
        for name in first.get_variable_to_shape_map():
            self.assertAllEqual(first.get_tensor(name), second.get_tensor(name), name)

    def test_two_targets_have_a_row_each(self):
        path = testing.write_pairs(f'{self.directory}/pairs.tfrecords')
        run_training(self.options(path, num_targets=2, max_steps=1))
        picture = decoded(events_of(f'{self.run_dir}/train')[0]['reconstructions'][1])
        rows = 8 * 2
        height, width = (rows * 21 - 1), (3 * 21 - 1)
        scale = summaries.PICTURE_SCALE
        self.assertEqual(picture.shape, (height * scale, width * scale, 3))

    def test_verbose_adds_histograms(self):
        self.write_singles()
        run_training(self.options(max_steps=1, hparams_override=f'{SMALL},verbose=true'))
        values, metadata = events_of(f'{self.run_dir}/train')
        kinds = {tag: one.plugin_data.plugin_name for tag, one in metadata.items()}
        histograms = {tag for tag, kind in kinds.items() if kind == 'histograms'}
        self.assertContainsSubset({'coupling', 'conv1/weights', 'capsule2/biases'}, histograms)
        # Each row is [left, right, count]; couplings lie in (0, 1), one for each pair of capsules.
        coupling = values['coupling'][1]
        in_capsules = 2 * 2 * 2  # 20 pixels -> 12 -> a grid of 2x2, of 2 types
        self.assertEqual(coupling[:, 2].sum(), 8 * in_capsules * 10)
        self.assertBetween(coupling[:, 0].min(), 0, coupling[:, 1].max())
        self.assertLess(coupling[:, 1].max(), 1)

    def test_verbose_tells_all_that_the_release_does_of_two_targets(self):
        path = testing.write_pairs(f'{self.directory}/pairs.tfrecords')
        hparams = f'{SMALL},verbose=true'
        run_training(self.options(path, num_targets=2, max_steps=1, hparams_override=hparams))
        values, _ = events_of(f'{self.run_dir}/train')
        reader = tf.train.load_checkpoint(f'{self.run_dir}/train/model.ckpt-1')
        for name in ('conv1/weights', 'capsule2/biases', 'recons/recons_3/weights'):
            variable = reader.get_tensor(name)
            told = [values[f'{name}/{one}'][1] for one in ('mean', 'stddev', 'max', 'min')]
            expected = [variable.mean(), variable.std(), variable.max(), variable.min()]
            self.assertAllClose(told, expected, rtol=1e-4, atol=1e-6)
        activations = values['conv1/activation'][1]  # of 8 examples, 12x12 places, 256 channels
        self.assertEqual(activations[:, 2].sum(), 8 * 12 * 12 * 256)
        self.assertEqual(activations[:, 0].min(), 0)  # behind a ReLU

    def test_scalars_under_the_tags_of_the_release(self):
        path = testing.write_pairs(f'{self.directory}/pairs.tfrecords')
        run_training(self.options(path, num_targets=2, max_steps=1))
        ours, _ = events_of(f'{self.run_dir}/train')
        for released, tag, factor in (
            ('total_loss', 'loss/total', 1),
            ('batch_classification_cost', 'loss/classification', 1),
            ('reconstruction_error', 'loss/reconstruction_1', 1),
            ('reconstruction_error_1', 'loss/reconstruction_2', 1),
            ('correct_prediction_batch', 'accuracy', 8),
            ('almost_correct_batch', 'almost_correct', 8),
        ):
            self.assertAllClose(ours[released][1], factor * ours[tag][1])
        evaluation, _ = run_evaluation(self.options(path, num_targets=2, train=False))
        told = events_of(f'{self.run_dir}/test')[0]
        self.assertEqual(told['correct_prediction'][1], 40 - evaluation.num_wrong)
        self.assertEqual(told['wrong_prediction'][1], evaluation.num_wrong)
        self.assertEqual(told['almost_wrong_prediction'][1], 40 - evaluation.num_almost)

    def test_no_histograms_otherwise(self):
        self.write_singles()
        run_training(self.options(max_steps=1))
        self.assertNotIn('coupling', events_of(f'{self.run_dir}/train')[0])

    @parameterized.parameters('capsule', 'paper_baseline')
    def test_models_without_decoder_have_no_pictures(self, model):
        self.write_singles()
        hparams = f'{SMALL},remake=false,verbose=true'
        run_training(self.options(model=model, hparams_override=hparams, max_steps=1, batch_size=2))
        values, _ = events_of(f'{self.run_dir}/train')
        self.assertNotIn('reconstructions', values)
        self.assertEqual('coupling' in values, model == 'capsule')

    def test_hparams_with_the_final_metrics(self):
        self.write_singles()
        run_training(self.options(max_steps=1))
        evaluation, _ = run_evaluation(self.options(train=False))
        values, metadata = events_of(self.run_dir)
        parsed = {
            tag: plugin_data_pb2.HParamsPluginData.FromString(one.plugin_data.content)
            for tag, one in metadata.items()
            if one.plugin_data.plugin_name == 'hparams'
        }
        started = parsed['_hparams_/session_start_info'].session_start_info
        self.assertEqual(started.hparams['num_prime_capsules'].number_value, 2)
        self.assertEqual(started.hparams['batch_size'].number_value, 8)
        self.assertEqual(started.hparams['model'].string_value, 'capsule')
        named = parsed['_hparams_/experiment'].experiment.metric_infos
        self.assertEqual({info.name.tag for info in named}, values.keys() - parsed.keys())
        self.assertAllClose(values['final/wrong_percent'][1], evaluation.wrong_percent)
        self.assertAllClose(values['final/loss'][1], evaluation.loss)

    def test_an_evaluation_alone_tells_its_hparams(self):
        self.write_singles()
        run_training(self.options(max_steps=1))
        other = f'{self.directory}/other'
        path = f'{self.run_dir}/train/model.ckpt-1'
        run_evaluation(self.options(train=False, checkpoint=path, summary_dir=other))
        self.assertIn('_hparams_/session_start_info', events_of(other)[0])


class TableTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters((1, 8), (2, 16), (3, 8))
    def test_input_target_reconstruction(self, depth, width):
        random = np.random.default_rng(0)
        images = random.normal(size=(3, 6, 8, depth))  # standardised
        targets = random.random((3, 1, 6, 8, depth))
        features = {'images': images, 'target_images': targets}
        table = summaries.reconstruction_table(features, targets)
        self.assertEqual(table.shape, (3 * 7 - 1, 3 * (width + 1) - 1, 3))
        self.assertAllInRange(table, 0, 1)
        second, third = table[:, width + 1 : 2 * width + 1], table[:, 2 * (width + 1) :]
        self.assertAllEqual(second, third)
        self.assertNotAllEqual(table[:, :width], second)


class FixedBatchTest(tf.test.TestCase):
    def batches(self, first):
        features = {'images': np.arange(first, first + 20, dtype=np.float32)[:, None]}
        return tf.data.Dataset.from_tensor_slices(features).batch(10)

    def test_stays_when_the_run_is_resumed_elsewhere_in_the_data(self):
        path = f'{self.create_tempdir().full_path}/summary_batch.npz'
        first = summaries.fixed_batch(path, self.batches(0))
        self.assertAllEqual(first['images'][:, 0], np.arange(8))
        again = summaries.fixed_batch(path, self.batches(40))
        self.assertAllEqual(again['images'], first['images'])

    def test_a_damaged_file_is_replaced(self):
        path = pathlib.Path(self.create_tempdir().full_path, 'summary_batch.npz')
        summaries.fixed_batch(path, self.batches(0))
        for content in (b'', b'not a zip file', path.read_bytes()[:60]):
            path.write_bytes(content)
            features = summaries.fixed_batch(path, self.batches(40))
            self.assertAllEqual(features['images'][:, 0], np.arange(40, 48))


if __name__ == '__main__':
    tf.test.main()
