"""The report in a real browser: no errors, sliders that draw, a phone's width, the keyboard."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import unittest

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import parameterized
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from input_data import DatasetInfo, InputRequest, inputs, testing
from jobs.evaluation.scoring import judge
from jobs.options import RunOptions
from jobs.run import Run
from jobs.testing import run_evaluation, run_training
from jobs.visualization import figures, report
from models import HParams, build_model, checkpoint

pytestmark = pytest.mark.slow

BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
DRIVER = shutil.which('chromedriver')
QUIET = (
    '--headless=new',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
)
SMALL = 'num_prime_capsules=2'
SIDE = 20
# The decoder's weights are float16 in the page: their relative error of 2**-12, over the sums of
# the last layer, moves a pixel by less than one of 255; rounding to bytes moves it by another.
TOLERANCE = 2
PIXELS = """
const canvas = document.getElementById('drawing');
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
return Array.from(data).filter((_, i) => i % 4 !== 3);
"""


@unittest.skipUnless(BROWSER and DRIVER, 'no chromium and chromedriver are installed')
class ReportBrowserTest(tf.test.TestCase, parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Some distributions have a stand-in of that name, which only says how to install one.
        if subprocess.run([BROWSER, '--version'], capture_output=True).returncode:
            raise unittest.SkipTest(f'{BROWSER} does not run')
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.directory = cls().create_tempdir().full_path
        cls.data = f'{cls.directory}/data'
        pathlib.Path(cls.data).mkdir()
        testing.write_singles(cls.data, 'train_2')
        testing.write_singles(cls.data, 'test_0', count=25)
        # A name that would run if any part of the page took it for markup.
        cls.run_dir = f'{cls.directory}/<script>window.injected=1</script>'
        common = dict(data_dir=cls.data, summary_dir=cls.run_dir, hparams_override=SMALL)
        run_training(RunOptions(**common, max_steps=2, batch_size=8, seed=5))
        run_evaluation(RunOptions(**common, train=False, report=True, eval_timeout_secs=0))
        cls.driver = start_browser(f'{cls.directory}/profile')
        stack.callback(cls.driver.quit)

    def open(self, width=1280, path=None):
        self.driver.execute_cdp_cmd(
            'Emulation.setDeviceMetricsOverride',
            {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': width < 600},
        )
        page = pathlib.Path(path or f'{self.run_dir}/test/report.html')
        self.driver.get_log('browser')  # of earlier pages
        self.driver.get(page.as_uri())

    def find(self, selector):
        return self.driver.find_elements('css selector', selector)

    def pixels(self):
        """What the canvas shows; on a busy machine it is black until it is painted."""
        read = WebDriverWait(self.driver, 20).until(lambda driver: self.read_canvas(driver))
        return np.array(read).reshape(SIDE, -1, 3)

    @staticmethod
    def read_canvas(driver):
        values = driver.execute_script(PIXELS)
        return values if any(values) else None

    def drawn_by_network(self, label, offsets=()):
        """What the restored network decodes of the first example of a class, 0..255."""
        batches, info = inputs('mnist', InputRequest(self.data, 'test'))
        features = next(iter(batches))
        model = build_model('capsule', HParams.parse(SMALL), info)
        checkpoint.restore(f'{self.run_dir}/train/model.ckpt-2', model)
        # The caption tells which example the page chose.
        alt = self.find('#test-image')[0].get_attribute('alt')
        index = int(alt.split()[2].rstrip(','))
        self.assertEqual(int(features['target_labels'][index, 0]), label)
        capsules = model.route(features['images'][index : index + 1]).activation.numpy()
        for atom, offset in offsets:
            capsules[0, label, atom] += offset
        drawn = model.reconstruct(tf.constant(capsules), tf.constant([[label]]))
        return 255 * drawn[0, 0].numpy()  # [height, width, 1]

    def test_loads_without_errors_and_runs_nothing_of_others(self):
        self.open()
        self.assertEqual(self.driver.get_log('browser'), [])
        self.assertIsNone(self.driver.execute_script('return window.injected ?? null'))
        self.assertIn('<script>window.injected=1</script>', self.driver.title)
        broken = 'return [...document.images].filter((one) => !one.naturalWidth).length'
        self.assertEqual(self.driver.execute_script(broken), 0)
        self.assertNotEmpty(self.find('.scroll img'))

    def test_an_injected_script_would_be_stopped_by_the_policy(self):
        whole = pathlib.Path(f'{self.run_dir}/test/report.html').read_text(encoding='utf-8')
        spoilt = f'{self.directory}/spoilt.html'
        pathlib.Path(spoilt).write_text(
            whole.replace('<main>', '<script>window.injected=1</script><main>'), encoding='utf-8'
        )
        self.open(path=spoilt)
        self.assertIsNone(self.driver.execute_script('return window.injected ?? null'))
        self.assertLen(self.driver.get_log('browser'), 1)

    def test_middle_is_the_networks_own_reconstruction(self):
        self.open()
        for label in (0, 3):
            self.find('#digits button')[label].click()
            difference = np.abs(self.pixels() - self.drawn_by_network(label))
            self.assertLessEqual(difference.max(), TOLERANCE)
        pressed = [one.get_attribute('aria-pressed') for one in self.find('#digits button')]
        self.assertEqual(pressed.index('true'), 3)

    def test_a_slider_changes_the_picture_as_the_network_would(self):
        self.open()
        before = self.pixels()
        slider = self.find('#sliders input')[4]
        slider.send_keys(Keys.END)
        self.assertEqual(slider.get_attribute('value'), '0.25')
        self.assertEqual(self.find('#sliders output')[4].text, '+0.25')
        after = self.pixels()
        self.assertTrue(np.any(before != after))
        expected = self.drawn_by_network(0, offsets=[(4, 0.25)])
        self.assertLessEqual(np.abs(after - expected).max(), TOLERANCE)
        self.find('#reset')[0].click()
        np.testing.assert_array_equal(self.pixels(), before)

    def test_a_length_that_no_image_gives_is_explained(self):
        self.open()
        (note,) = self.find('#outside')
        self.assertFalse(note.is_displayed())
        lengths = []
        for key in (Keys.END, Keys.HOME):
            for slider in self.find('#sliders input'):
                slider.send_keys(key)
            lengths.append(float(self.find('#length')[0].text))
            self.assertEqual(note.is_displayed(), lengths[-1] >= 1)
        # Of both corners, |c + v| and |c - v| with |v| = 1, one lies outside of the ball.
        self.assertGreater(max(lengths), 1)

    @parameterized.parameters(2, 3)
    def test_stereo_pairs_stand_side_by_side_and_three_channels_are_colours(self, depth):
        model = build_model('capsule', HParams.parse(SMALL), DatasetInfo(SIDE, SIDE, depth, 2))
        images = np.random.default_rng(0).normal(size=(2, SIDE, SIDE, depth)).astype(np.float32)
        labels = np.array([[0], [1]], np.int32)
        features = {'images': tf.constant(images), 'target_labels': tf.constant(labels)}
        batches = tf.data.Dataset.from_tensors(features)
        scores = model(features).scores.numpy()
        run = Run(f'{self.directory}/depth{depth}')
        drawn = figures.Drawn({}, [])
        judged = judge(scores, labels, 0.0)
        page = report.write_report(run, model, batches, judged, drawn, 'model.ckpt-0')
        self.open(path=page)
        self.assertEqual(self.driver.get_log('browser'), [])
        self.find('#digits button')[1].click()
        drawn = 255 * model(features).reconstructions[1, 0].numpy()  # [height, width, depth]
        if depth == 2:
            drawn = np.concatenate([drawn[..., :1], drawn[..., 1:]], axis=1)
        self.assertLessEqual(np.abs(self.pixels() - drawn).max(), TOLERANCE)

    def test_keyboard_reaches_and_moves_every_slider(self):
        self.open()
        self.find('#reset')[0].send_keys(Keys.TAB)
        for number in range(1, 17):
            focused = self.driver.switch_to.active_element
            self.assertEqual(focused.accessible_name, f'Dimension {number}')
            focused.send_keys(Keys.ARROW_LEFT)
            self.assertEqual(focused.get_attribute('value'), '-0.01')
            focused.send_keys(Keys.TAB)

    def test_fits_a_phone(self):
        self.open(width=400)
        width = self.driver.execute_script('return document.documentElement.scrollWidth')
        self.assertLessEqual(width, 400)
        for slider in self.find('#sliders input'):
            self.assertGreater(slider.size['width'], 150)
            self.assertLessEqual(slider.location['x'] + slider.size['width'], 400)


def start_browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    # Chromium's sandbox does not start for root, as whom containers run tests.
    for argument in (*QUIET, *(['--no-sandbox'] if os.geteuid() == 0 else [])):
        options.add_argument(argument)
    options.add_argument(f'--user-data-dir={profile}')
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


if __name__ == '__main__':
    tf.test.main()
