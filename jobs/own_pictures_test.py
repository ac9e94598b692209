"""Class folders from training to prediction, the classes called by their names."""

import contextlib
import io
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.errors import UserError
from input_data import InputRequest
from input_data.image_folder import folders
from jobs.inference import predict
from jobs.options import RunOptions
from jobs.testing import (
    difference,
    make_class_folder,
    run_evaluation,
    run_training,
    small_options,
    variables,
)
from jobs.visualization import figures
from models import checkpoint

pytestmark = pytest.mark.slow

COLOURS = {'Hünd 犬': (200, 30, 30), 'a "cat", <b>': (30, 200, 30), 'ship, large': (30, 30, 200)}
STEPS = 30


def write_pictures(folder, classes=COLOURS, count=30):
    """Noise with a square of the class's colour, of many sizes."""
    random = np.random.default_rng(0)
    for name, colour in classes.items():
        path = pathlib.Path(folder, name)
        path.mkdir(parents=True)
        for number in range(count):
            height, width = random.integers(20, 90, 2)
            pixels = random.integers(0, 120, (height, width, 3)).astype(np.uint8)
            pixels[height // 4 : -height // 4, width // 4 : -width // 4] = colour
            Image.fromarray(pixels).save(path / f'{number}.{("png", "jpg", "webp")[number % 3]}')


class OwnPicturesTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = make_class_folder(cls)
        write_pictures(f'{cls.trained}/data')
        cls.told = run_training(cls.options_in(cls.trained))

    @staticmethod
    def options_in(folder, **overrides):
        defaults = dict(
            dataset='image_folder',
            image_size=24,
            hparams_override='num_prime_capsules=2',
            max_steps=STEPS,
            save_step=STEPS // 2,
        )
        return small_options(f'{folder}/data', f'{folder}/run', **{**defaults, **overrides})

    def setUp(self):
        super().setUp()
        self.folder = f'{self.create_tempdir().full_path}/copy'
        shutil.copytree(self.trained, self.folder)

    def evaluate(self, **overrides):
        places = dict(train=False, eval_timeout_secs=0, eval_interval_secs=0)
        defaults = dict(data_dir=f'{self.folder}/data', summary_dir=f'{self.folder}/run')
        return run_evaluation(RunOptions(**{**places, **defaults, **overrides}))

    def test_from_folders_to_names(self):
        self.assertRegex(self.told, r'training examples of 18x18x3 \(held out \d+ of 90 pictures')
        config = json.loads(pathlib.Path(f'{self.folder}/run/config.json').read_text())
        self.assertEqual(config['data']['class_names'], [*COLOURS])
        evaluation, told = self.evaluate(report=True, seed=1)
        self.assertIn('--dataset=image_folder --image_size=24', told)
        self.assertLess(evaluation.wrong_percent, 20)
        self.assertEqual(evaluation.class_names, (*COLOURS,))
        axes = figures.draw_confusion(evaluation).axes[0]
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            self.assertEqual([label.get_text() for label in labels], [*COLOURS])
        page = pathlib.Path(f'{self.folder}/run/test/report.html').read_text('utf-8')
        for name in ('Hünd 犬', 'a &#34;cat&#34;, &lt;b&gt;', 'ship, large'):
            self.assertRegex(page, f'<button .*>{name}</button>')
        photo = f'{self.folder}/photo.jpg'
        blue = np.zeros((300, 200, 3), np.uint8)
        blue[75:225, 50:150] = COLOURS['ship, large']
        Image.fromarray(blue).convert('CMYK').save(photo)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            [result] = predict.run(RunOptions(summary_dir=f'{self.folder}/run', predict=photo))
        self.assertEqual(result['classes'], ['ship, large'])
        self.assertIn('photo.jpg: ship, large  lengths Hünd 犬=0.', printed.getvalue())
        self.assertTrue(pathlib.Path(result['picture']).exists())

    def test_a_picture_scores_alone_as_in_the_evaluation(self):
        evaluation, _ = self.evaluate(eval_size=4)  # of all classes
        held = folders.list_files(InputRequest(f'{self.folder}/data', 'test')).files
        paths = [path for of_class in held.values() for path in of_class]
        chosen = [paths[number * len(paths) // 4] for number in range(4)]
        of_first = [path for path in chosen if 'Hünd' in path]
        self.assertNotEmpty(of_first)
        with contextlib.redirect_stdout(io.StringIO()):
            results = predict.run(
                RunOptions(summary_dir=f'{self.folder}/run', predict=','.join(of_first))
            )
        for result, expected in zip(results, evaluation.scores, strict=False):
            self.assertAllClose(result['scores'], expected, 1e-5, 1e-6)

    def test_a_training_goes_on_bit_for_bit(self):
        for path in pathlib.Path(f'{self.folder}/run/train').glob(f'model.ckpt-{STEPS}.*'):
            path.unlink()
        checkpoint.tidy(f'{self.folder}/run/train')
        told = run_training(self.options_in(self.folder))
        self.assertIn(f'model.ckpt-{STEPS // 2}', told)
        self.assertNotIn('Changed: class_names', told)
        states = [variables(f'{folder}/run', STEPS) for folder in (self.trained, self.folder)]
        self.assertIsNone(difference(*states))

    def test_other_classes_or_sizes_are_another_training(self):
        with self.assertRaisesRegex(UserError, '--image_size=24 .* this run has --image_size=32'):
            run_training(self.options_in(self.folder, image_size=32))
        old = pathlib.Path(f'{self.folder}/data/ship, large')
        old.rename(old.with_name('zebra'))
        with self.assertRaisesRegex(UserError, "class_names=.*, 'ship, large'.* has .*'zebra'"):
            run_training(self.options_in(self.folder))
        with self.assertRaisesRegex(
            UserError,
            f'^--data_dir={self.folder}/data: found classes that the training had not: zebra; and '
            'not: ship, large; expected the 3 classes of .*config.json',
        ):
            self.evaluate()


if __name__ == '__main__':
    tf.test.main()
