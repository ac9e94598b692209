"""Predictions for image files: any format, size, polarity; what is no image; what is printed."""

import contextlib
import io
import json
import os
import pathlib
import shutil
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.errors import UserError
from input_data import InputRequest, inputs, testing
from jobs.inference import predict, trained
from jobs.options import RunOptions
from jobs.testing import make_class_folder, start
from jobs.training import train
from jobs.visualization import draw

SMALL = 'num_prime_capsules=2'
SIDE = 20


class PredictTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.trained = make_class_folder(cls)
        cls.data = f'{cls.trained}/data'
        pathlib.Path(cls.data).mkdir()
        testing.write_singles(cls.data, 'train_2')
        testing.write_singles(cls.data, 'test_0', count=25)
        cls.train(f'{cls.trained}/run')

    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        shutil.copytree(f'{self.trained}/run', f'{self.directory}/run')

    @classmethod
    def train(cls, summary_dir, **overrides):
        defaults = dict(
            data_dir=cls.data,
            summary_dir=summary_dir,
            hparams_override=SMALL,
            max_steps=1,
            batch_size=8,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            train.run(RunOptions(**{**defaults, **overrides}))

    def predict(self, pattern, **overrides):
        """Returns (results, standard output, standard error)."""
        defaults = dict(summary_dir=f'{self.directory}/run', predict=pattern)
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            options = RunOptions(**{**defaults, **overrides})
            options.check()
            results = predict.run(options)
        return results, out.getvalue(), err.getvalue()

    def digit(self, name='digit.png', side=SIDE):
        path = f'{self.directory}/{name}'
        drawing = np.zeros((side, side), np.uint8)
        drawing[side // 4 : 3 * side // 4, side // 3 : side // 2] = 255
        Image.fromarray(drawing).save(path)
        return path

    def test_a_digit_of_the_data_set_scores_as_in_the_evaluation(self):
        features = next(iter(inputs('mnist', InputRequest(self.data, 'test'))[0]))
        model = trained.load(RunOptions(summary_dir=f'{self.directory}/run')).model
        expected = model(features).scores.numpy()
        for index in range(3):
            pixels = np.uint8(np.round(255 * features['images'][index, ..., 0].numpy()))
            Image.fromarray(pixels).save(f'{self.directory}/test{index}.png')
        results, printed, _ = self.predict(f'{self.directory}/test*.png')
        self.assertLen(results, 3)
        for index, result in enumerate(results):
            self.assertAllClose(result['scores'], expected[index], 1e-5, 1e-6)
            self.assertEqual(result['predictions'], [int(expected[index].argmax())])
            lengths = ' '.join(f'{n}={length:.3f}' for n, length in enumerate(expected[index]))
            line = f'test{index}.png: {expected[index].argmax()}  lengths {lengths}'
            self.assertIn(line, printed)

    def test_saves_what_it_saw_and_drew(self):
        results, _, _ = self.predict(self.digit())
        self.assertEqual(
            results[0]['picture'], f'{self.directory}/run/test/figures/predict-digit.png'
        )
        picture = np.asarray(Image.open(results[0]['picture']).convert('L'))
        self.assertGreater(picture.shape[1], 400)
        # The digit is seen enlarged, black but for a bar of 10 rows and 4 columns of 20.
        self.assertGreater((picture == 0).sum(), 0.7 * SIDE * SIDE * 10**2)

    def test_titles_say_what_each_picture_is(self):
        with mock.patch.object(draw, 'draw_strips', wraps=draw.draw_strips) as drawn:
            results, _, _ = self.predict(self.digit())
        strips, titles = drawn.call_args.args[:2]
        number = results[0]['predictions'][0]
        length = f'length {results[0]["scores"][number]:.3f}'
        self.assertEqual(titles, ['input', f'reconstruction of\n{number}, {length}'])
        self.assertAllClose(255 * strips[''][0, ..., 0], np.asarray(Image.open(self.digit())))

    def test_names_of_classes_come_from_the_run(self):
        path = pathlib.Path(f'{self.directory}/run/config.json')
        config = json.loads(path.read_text())
        config['data']['class_names'] = [f'kind {letter}' for letter in 'abcdefghij']
        path.write_text(json.dumps(config))
        results, printed, _ = self.predict(self.digit())
        name = f'kind {"abcdefghij"[results[0]["predictions"][0]]}'
        self.assertEqual(results[0]['classes'], [name])
        self.assertIn(f'digit.png: {name}  lengths kind a=0.', printed)
        for strange in (['too few'], 'abcdefghij', None):
            config['data']['class_names'] = strange
            path.write_text(json.dumps(config))
            results, _, _ = self.predict(self.digit())
            self.assertEqual(results[0]['classes'], [str(results[0]['predictions'][0])])

    def test_of_many_classes_a_line_has_the_highest(self):
        with mock.patch.object(predict, 'MOST_SCORES', 2):
            [result], printed, _ = self.predict(self.digit())
        first, second = np.argsort(result['scores'])[:-3:-1]
        lengths = ' '.join(f'{n}={result["scores"][n]:.3f}' for n in (first, second))
        self.assertIn(f'digit.png: {first}  lengths {lengths}  ', printed)

    def test_says_that_further_frames_are_not_looked_at(self):
        first = Image.open(self.digit())
        first.save(f'{self.directory}/film.gif', save_all=True, append_images=[first.rotate(90)])
        _, printed, _ = self.predict(f'{self.directory}/film.gif,{self.digit()}')
        film, still = printed.splitlines()[-2:]
        self.assertIn('  first of several frames  ', film)
        self.assertNotIn('several frames', still)

    @pytest.mark.slow
    def test_strange_names_end_nothing(self):
        """Names of the greatest length, none the terminal can show, none in any encoding."""
        long = 'x' * 251 + '.png'
        names = [os.fsencode(long), 'ziffer-ü-数.png'.encode(), b'\xff\xfe.png', b'digit.png']
        for name in names:
            shutil.copy(self.digit('any.png'), os.fsencode(self.directory) + b'/' + name)
        wanted = [os.path.join(self.directory, os.fsdecode(name)) for name in names]
        wanted.insert(2, f'{self.directory}/{"y" * 300}.png')  # longer than any name may be
        with mock.patch.dict(os.environ, {'PYTHONIOENCODING': 'ascii'}):
            process = start(summary_dir=f'{self.directory}/run', predict=','.join(wanted))
        output, errors = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(errors.count('\n'), 1, errors)
        self.assertIn('1 of 5 files could not be read', errors)
        self.assertIn('yyy.png: no such file', errors)
        self.assertEqual(output.count('  lengths '), 4)
        self.assertEqual(output.count('test/figures/predict-'), 4)
        pictures = sorted(os.listdir(f'{self.directory}/run/test/figures'))
        self.assertLen(pictures, 4)
        self.assertIn(f'predict-{"x" * predict.MOST_STEM}.png', pictures)

    def test_without_summary_dir_nothing_is_saved_and_that_is_said(self):
        checkpoint = f'{self.directory}/run/train/model.ckpt-1'
        results, printed, _ = self.predict(self.digit(), summary_dir=None, checkpoint=checkpoint)
        self.assertIsNone(results[0]['picture'])
        self.assertIn('Reconstructions are not kept: give --summary_dir', printed)

    def test_files_of_one_name_do_not_overwrite_each_other(self):
        pathlib.Path(f'{self.directory}/other').mkdir()
        pattern = f'{self.digit()},{self.digit("other/digit.png")}'
        results, _, _ = self.predict(pattern)
        self.assertEndsWith(results[1]['picture'], 'predict-digit-2.png')
        self.assertTrue(os.path.exists(results[0]['picture']))

    def test_json_is_all_there_is_on_standard_output(self):
        _, printed, _ = self.predict(self.digit(), json=True)
        (result,) = json.loads(printed)
        keys = {'file', 'predictions', 'classes', 'scores', 'note', 'picture'}
        self.assertEqual(set(result), keys)
        self.assertLen(result['scores'], 10)

    def test_two_targets_give_two_classes(self):
        pairs = testing.write_pairs(f'{self.directory}/pairs.tfrecords', 10)
        self.train(f'{self.directory}/pairs', data_dir=pairs, num_targets=2)
        results, printed, _ = self.predict(self.digit(), summary_dir=f'{self.directory}/pairs')
        first, second = results[0]['predictions']
        self.assertIn(f'digit.png: {first} and {second}  lengths', printed)
        self.assertGreater(Image.open(results[0]['picture']).width, 600)  # three beside each other

    def test_size_comes_from_the_decoder_where_there_is_no_configuration(self):
        pathlib.Path(f'{self.directory}/run/config.json').unlink()
        results, _, _ = self.predict(self.digit(), hparams_override=SMALL)
        self.assertLen(results[0]['scores'], 10)

    def test_unknown_size_is_one_line(self):
        self.train(f'{self.directory}/bare', hparams_override=f'{SMALL},remake=false')
        pathlib.Path(f'{self.directory}/bare/config.json').unlink()
        override = f'{SMALL},remake=false'
        with self.assertRaisesRegex(UserError, 'model.ckpt-1: found neither config.json'):
            self.predict(
                self.digit(), summary_dir=f'{self.directory}/bare', hparams_override=override
            )
        results, _, _ = self.predict(
            self.digit(),
            summary_dir=f'{self.directory}/bare',
            hparams_override=override,
            data_dir=self.data,
        )
        self.assertLen(results[0]['scores'], 10)

    def test_overrides_change_the_hyper_parameters_of_the_run(self):
        once, _, _ = self.predict(self.digit(), hparams_override='routing=1')
        thrice, _, _ = self.predict(self.digit())
        self.assertNotAllClose(once[0]['scores'], thrice[0]['scores'])

    def test_folders_of_patterns_may_have_commas(self):
        folder = pathlib.Path(f'{self.directory}/ship, large')
        folder.mkdir()
        for name in ('a.png', 'b.png'):
            (folder / name).touch()
        paths = [f'{folder}/a.png', f'{folder}/b.png']
        self.assertEqual(predict.find_images(f'{folder}/*.png'), paths)
        self.assertEqual(predict.find_images(paths[1]), paths[1:])

    def test_missing_names_are_one_line(self):
        for pattern, message in (
            (f'{self.directory}/*.gif', r'--predict=.*\*\.gif: no file matches'),
            (' , ', 'found no name of an image file'),
        ):
            with self.assertRaisesRegex(UserError, message):
                self.predict(pattern)
        with self.assertRaisesRegex(UserError, '--checkpoint or --summary_dir is needed'):
            self.predict(self.digit(), summary_dir=None)
        with self.assertRaisesRegex(UserError, 'found no model.ckpt-'):
            self.predict(self.digit(), summary_dir=f'{self.directory}/nothing')

    @pytest.mark.slow
    def test_the_program_names_what_is_no_image_and_goes_on(self):
        bad = f'{self.directory}/bad,name.png'
        pathlib.Path(bad).write_text('not an image')
        process = start(
            summary_dir=f'{self.directory}/run',
            predict=f'{self.directory}/*.png,{self.directory}/absent.png',
            json=True,
        )
        output, errors = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(errors.count(f'{bad}: found no image'), 1)
        self.assertIn('absent.png: no such file', errors)
        self.assertEqual(errors.count('\n'), 1)
        found = json.loads(output)
        self.assertEqual(
            [one['file'] for one in found if 'error' in one], [bad, f'{self.directory}/absent.png']
        )


if __name__ == '__main__':
    tf.test.main()
