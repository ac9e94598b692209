"""Figures and summaries from files to files."""

import contextlib
import io
import pathlib
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from common.errors import UserError
from input_data import DatasetInfo, InputRequest, inputs, testing
from jobs.evaluation.scoring import Scorer, judge
from jobs.run import Run
from jobs.testing import run_evaluation, run_training, small_options
from jobs.visualization import curves, draw, figures
from models import HParams, build_model, checkpoint

pytestmark = pytest.mark.slow

SMALL = 'num_prime_capsules=2'
ONE_TARGET = ['confusion_matrix', 'curves', 'masked_reconstructions', 'mistakes', 'routing_logits']


class FiguresTest(tf.test.TestCase, parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def options(self, data_dir=None, **overrides):
        run = f'{self.directory}/run'
        defaults = dict(summary_dir=run, hparams_override=SMALL, max_steps=2)
        return small_options(data_dir or self.directory, **{**defaults, **overrides})

    def write_singles(self):
        testing.write_singles(self.directory, 'train_2')
        testing.write_singles(self.directory, 'test_0', count=25)

    def written(self):
        """Sizes of the PNGs by name; each must be read by Pillow and show something."""
        sizes = {}
        for path in pathlib.Path(f'{self.directory}/run/test/figures').iterdir():
            with Image.open(path) as image:
                self.assertEqual(image.format, 'PNG')
                self.assertGreater(np.ptp(np.asarray(image.convert('L'))), 200, path)
                sizes[path.stem] = image.size
        for width, height in sizes.values():
            self.assertBetween(width, 400, 1600)
            self.assertBetween(height, 200, 1800)
        return sizes

    def test_all_figures_of_a_capsule_network(self):
        self.write_singles()
        run_training(self.options(max_steps=30))
        _, printed = run_evaluation(self.options(train=False, figures=True))
        names = self.written().keys()
        self.assertContainsSubset(set(ONE_TARGET) - {'mistakes'}, names)
        found = {name for name in names if name.startswith('perturbation_')}
        self.assertNotEmpty(found)
        self.assertIn(f'{len(names)} figures in {self.directory}/run/test/figures', printed)
        self.assertEqual('no example whose targets were found' in printed, len(found) < 10)

    def test_two_targets(self):
        path = testing.write_pairs(f'{self.directory}/multitrain_6shifted_mnist.tfrecords')
        options = self.options(path, num_targets=2, eval_size=20)
        run_training(options)
        run_evaluation(self.options(path, num_targets=2, eval_size=20, train=False, figures=True))
        self.assertContainsSubset(ONE_TARGET, self.written().keys())

    @parameterized.parameters(
        ('capsule', f'{SMALL},remake=false', ['confusion_matrix', 'mistakes', 'routing_logits']),
        ('paper_baseline', '', ['confusion_matrix', 'mistakes']),
    )
    def test_says_what_it_leaves_out(self, model, hparams, expected):
        self.write_singles()
        network = dict(model=model, hparams_override=hparams, batch_size=2, eval_size=20)
        run_training(self.options(max_steps=1, **network))
        _, printed = run_evaluation(self.options(train=False, figures=True, **network))
        self.assertCountEqual(self.written(), [*expected, 'curves'])
        self.assertIn('Left out: masked_reconstructions, perturbation_*: ', printed)
        self.assertEqual('Left out: routing_logits: ' in printed, model != 'capsule')

    @parameterized.parameters(2, 3)
    def test_standardised_images_of_several_channels(self, depth):
        model = build_model('capsule', HParams(num_prime_capsules=2), DatasetInfo(20, 20, depth))
        random = np.random.default_rng(0)
        labels = np.arange(12, dtype=np.int32)[:, None] % 10
        features = {
            'images': random.normal(size=(12, 20, 20, depth)).astype(np.float32),
            'labels': np.eye(10, dtype=np.float32)[labels[:, 0]],
            'target_labels': labels,
            'target_images': random.random((12, 1, 20, 20, depth), np.float32),
        }
        batches = tf.data.Dataset.from_tensor_slices(features).batch(5)
        evaluation = Scorer(model, batches).evaluate()
        # The labels it finds: each class then has an example to perturb.
        found = judge(evaluation.scores, evaluation.predictions, 0.0)
        for judged in (evaluation, found):
            with contextlib.redirect_stdout(io.StringIO()):
                run = Run(f'{self.directory}/run')
                drawn = figures.draw_figures(run, judged, batches, model)
                figures.write_figures(run.figures_dir, drawn)
        names = self.written()
        self.assertContainsSubset({'mistakes', 'masked_reconstructions'}, names)
        self.assertTrue(any(name.startswith('perturbation_') for name in names))

    @mock.patch.object(figures, 'MOST_PERTURBED', 0)
    def test_two_classes_leave_no_other_and_some_are_enough(self):
        info = DatasetInfo(20, 20, 1, 2, class_names=('cat', 'dog'))
        model = build_model('capsule', HParams(num_prime_capsules=2), info)
        features = {
            'images': np.random.default_rng(0).random((4, 20, 20, 1), np.float32),
            'labels': np.eye(2, dtype=np.float32)[[0, 0, 1, 1]],
            'target_labels': np.array([[0], [0], [1], [1]], np.int32),
        }
        features['target_images'] = features['images'][:, None]
        batches = tf.data.Dataset.from_tensor_slices(features).batch(4)
        scores = np.array([[0.9, 0.1], [0.3, 0.8], [0.2, 0.7], [0.1, 0.6]], np.float32)
        judged = judge(scores, features['target_labels'], 0.0)._replace(
            class_names=info.class_names
        )
        drawn = figures.draw_figures(Run(f'{self.directory}/run'), judged, batches, model)
        titles = [axes.get_title() for axes in drawn.figures['masked_reconstructions'].axes]
        self.assertIn('label\ncat\npredicted\ndog', titles)
        self.assertFalse(any('other' in title for title in titles))
        mistakes = [axes.get_title() for axes in drawn.figures['mistakes'].axes]
        self.assertIn('cat →\ndog\n0.30 → 0.80\nexample 1', mistakes)
        self.assertIn('perturbation of 2 further classes', drawn.left_out)
        self.assertFalse(any(name.startswith('perturbation') for name in drawn.figures))

    def test_an_ensemble_draws_what_needs_no_single_network(self):
        self.write_singles()
        for trial in (0, 1):
            run = f'{self.directory}/{trial}'
            run_training(self.options(summary_dir=run, max_steps=1, seed=trial))
        pattern = f'{self.directory}/{{}}/train/model.ckpt-1'
        options = self.options(train=False, figures=True, checkpoint=pattern, num_trials=2)
        _, printed = run_evaluation(options)
        self.assertCountEqual(self.written(), ['confusion_matrix', 'mistakes'])
        self.assertIn('Left out: curves: no scalars in event files', printed)

    def test_needs_a_directory(self):
        options = self.options(train=False, figures=True, summary_dir=None, checkpoint='any')
        with self.assertRaisesRegex(UserError, '--figures needs --summary_dir'):
            options.check()

    def test_confusion_matrix_shows_mistakes_darkest_where_they_are_most(self):
        labels = np.array([[0]] * 10 + [[1]] * 10)
        predictions = np.array([1] * 4 + [0] * 6 + [1] * 9 + [2])
        evaluation = judge(np.eye(3, dtype=np.float32)[predictions], labels, 0.0)
        figure = figures.draw_confusion(evaluation)
        axes = figure.axes[0]
        texts = {(text.get_position()[::-1], text.get_text()) for text in axes.texts}
        self.assertEqual(
            texts, {((0, 0), '6'), ((0, 1), '4'), ((1, 1), '9'), ((1, 2), '1'), ((2, 2), '0')}
        )
        shares = axes.images[0].get_array()
        self.assertAllEqual(shares.filled(-1), [[-1, 40, 0], [0, -1, 10], [0, 0, -1]])
        self.assertIn('5 of 20 examples wrong (25 %)', axes.get_title())
        picture = draw.render_figure(figure)
        self.assertEqual((picture.dtype, picture.ndim), (np.uint8, 3))

    def test_axes_are_labelled(self):
        curve = {
            'loss/total': curves.Curve(np.array([1, 2]), np.array([0.5, 0.2])),
            'accuracy': curves.Curve(np.array([1, 2]), np.array([0.5, 1.0])),
        }
        drawn = (
            draw.draw_curves(curve, {}, 'title'),
            draw.draw_logit_changes(np.array([1e-1, 1e-4]), 3, 'title'),
            draw.draw_perturbations(np.zeros((16, 11, 4, 4, 3)), np.arange(11), 'title'),
        )
        for figure in drawn:
            for axes in figure.axes:
                self.assertTrue(axes.get_xlabel() and axes.get_ylabel())
        loss, error = drawn[0].axes
        self.assertAllEqual(loss.lines[0].get_ydata(), [0.5, 0.2])
        self.assertAllEqual(error.lines[0].get_ydata(), [50, 0])
        self.assertEqual(error.get_ylim()[0], 0)  # an evaluation without a mistake is seen too

    def test_pictures_beyond_a_row_go_below(self):
        pictures = np.linspace(0, 1, 11)[:, None, None, None] * np.ones((11, 2, 2, 3))
        titles = [str(number) for number in range(11)]
        strips = {'first': pictures, 'second': pictures[::-1]}
        figure = draw.draw_strips(strips, titles, 'title')
        shown = [axes for axes in figure.axes if axes.images]
        self.assertLen(shown, 22)
        places = {axes.get_title(): axes.get_subplotspec() for axes in shown}
        self.assertEqual((places['7'].rowspan.start, places['7'].colspan.start), (0, 7))
        self.assertEqual((places['8'].rowspan.start, places['8'].colspan.start), (2, 0))
        (of_8,) = (axes for axes in shown if axes.get_title() == '8')
        self.assertAllClose(of_8.images[0].get_array(), pictures[8])

    def test_a_title_wider_than_its_figure_is_broken_into_lines(self):
        pictures = np.zeros((1, 2, 2, 3))
        figure = draw.draw_strips({'row': pictures}, ['column'], 'a title of many words ' * 4)
        left, _, right, _ = figure.texts[0].get_window_extent().extents
        self.assertBetween(left, 0, right)
        self.assertLess(right, figure.bbox.width)

    def test_names_are_no_formulas(self):
        pictures = np.zeros((1, 2, 2, 3))
        figure = draw.draw_strips({'$x': pictures}, ['$\\nonsense{$'], '$_^$')
        self.assertEqual(figure.get_suptitle(), '$_^$')

    def test_how_far_logits_move_is_told_with_the_steps_trained(self):
        options = self.options(max_steps=3)
        self.write_singles()
        run_training(options)
        batches, info = inputs('mnist', InputRequest(self.directory, 'test'))
        model = build_model('capsule', HParams.parse(SMALL), info)
        checkpoint.restore(f'{self.directory}/run/train/model.ckpt-3', model)
        evaluation = Scorer(model, batches).evaluate()
        drawn = figures.draw_figures(options.run, evaluation, batches, model, False)
        self.assertFalse([name for name in drawn.figures if name.startswith('perturbation')])
        axes = drawn.figures['routing_logits'].axes[0]
        title = drawn.figures['routing_logits'].get_suptitle()
        self.assertIn('after 3 training steps\nMean over 25 images; where routing settles', title)
        self.assertLen(axes.lines[0].get_ydata(), figures.ROUTING_ITERATIONS)


class CurvesTest(tf.test.TestCase):
    def test_reads_scalars_back_and_the_last_of_a_step(self):
        directory = self.create_tempdir().full_path
        for values in ({1: 0.5, 2: 0.4, 3: 0.3}, {3: 0.1, 4: 0.05}):
            writer = tf.summary.create_file_writer(directory, filename_suffix=f'.{len(values)}')
            for step, value in values.items():
                with writer.as_default(step):
                    tf.summary.scalar('loss/total', value)
                    tf.summary.image('picture', np.zeros((1, 2, 2, 3)))
            writer.close()
        pathlib.Path(directory, 'events.out.tfevents.of-no-file').mkdir()
        found = curves.read_curves(directory)
        self.assertEqual(list(found), ['loss/total'])
        self.assertAllEqual(found['loss/total'].steps, [1, 2, 3, 4])
        self.assertAllClose(found['loss/total'].values[[0, 1, 3]], [0.5, 0.4, 0.05])

    def test_nothing_where_there_are_no_files(self):
        self.assertEqual(curves.read_curves(f'{self.create_tempdir().full_path}/none'), {})

    def test_long_curves_are_thinned_to_means(self):
        steps = np.arange(10_000)
        thinned = curves.thin_curve(curves.Curve(steps, 3.0 * steps))
        self.assertLen(thinned.steps, curves.MOST_POINTS)
        self.assertAllClose([thinned.steps[0], thinned.values[0]], [12, 36])  # of 25 points
        self.assertAllClose(thinned.values.mean(), 3 * steps.mean())


if __name__ == '__main__':
    tf.test.main()
