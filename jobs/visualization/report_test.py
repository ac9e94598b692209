"""The report: what is on the page, and that nothing on it can run but its own script."""

import base64
import contextlib
import functools
import hashlib
import html
import io
import pathlib
import re
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from common.errors import UserError
from input_data import DatasetInfo, testing
from jobs.evaluation import evaluate
from jobs.evaluation.scoring import judge
from jobs.options import RunOptions
from jobs.training import train
from jobs.visualization import curves, report_curves, report_examples
from models import HParams, build_model

SMALL = 'num_prime_capsules=2'
INJECTION = '</script><script>window.injected=1</script><img src=x onerror=alert(1)>'


class ReportTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.data = f'{cls.directory}/data'
        pathlib.Path(cls.data).mkdir()
        testing.write_singles(cls.data, 'train_2')
        testing.write_singles(cls.data, 'test_0', count=25)

    @functools.cached_property
    def usual_page(self):
        path = pathlib.Path(f'{self.directory}/run/test/report.html')
        return path.read_text(encoding='utf-8') if path.exists() else self.page()

    def options(self, run='run', **overrides):
        defaults = dict(
            data_dir=self.data,
            summary_dir=f'{self.directory}/{run}',
            hparams_override=SMALL,
            max_steps=2,
            summary_step=1,
            batch_size=8,
            eval_batch_size=10,
            seed=5,
            eval_timeout_secs=0,
        )
        return RunOptions(**{**defaults, **overrides})

    def page(self, **overrides):
        """Trains, evaluates, and returns the text of the page."""
        options = self.options(**overrides)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            train.run(options)
            evaluation = evaluate.run(self.options(**overrides, train=False, report=True))
        path = f'{options.summary_dir}/test/report.html'
        self.assertIn(f'Report {path}', printed.getvalue())
        text = pathlib.Path(path).read_text(encoding='utf-8')
        self.assertIn(evaluation.line(), text)
        return text

    def test_tells_all_about_a_run_and_needs_nothing_else(self):
        text = self.usual_page
        self.assertIn('<td>num_prime_capsules=2</td>', text)
        self.assertIn('model.ckpt-2', text)
        self.assertEqual(text.count('type="range"'), 16)
        self.assertEqual(text.count('data:image/svg+xml;base64,'), 2)  # loss and errors
        counts = re.findall(r'<td class="(?:zero|right-\d|wrong-\d)">(\d+)</td>', text)
        self.assertLen(counts, 100)
        self.assertEqual(sum(map(int, counts)), 25)
        addresses = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', text)
        self.assertNotEmpty(addresses)
        for address in addresses:
            self.assertStartsWith(address, 'data:')
        self.assertNotRegex(text, r'url\(|@import|https?://')

    def test_nothing_that_a_user_names_becomes_markup(self):
        text = self.page(run=f'run{INJECTION}', predictions=f'{self.directory}/{INJECTION}.npz')
        self.assertIn(html.escape(INJECTION), text)
        self.assertNotIn('<script>window.injected', text)
        self.assertNotIn('<img src=x', text)
        self.assertEqual(text.count('<script'), 2)  # the panel's data and the page's own script

    def test_only_its_own_script_and_style_may_run(self):
        text = self.usual_page
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
        policy = html.unescape(policy)
        self.assertStartsWith(policy, "default-src 'none';")
        for kind in ('script', 'style'):
            inline = re.search(f'<{kind}>(.*?)</{kind}>', text, re.DOTALL)[1]
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            self.assertIn(f"{kind}-src 'sha256-{digest}'", policy)

    def test_without_decoder_the_panel_is_left_out_and_the_page_says_so(self):
        text = self.page(run='bare', hparams_override=f'{SMALL},remake=false')
        self.assertIn('This network has no decoder', text)
        self.assertNotIn('type="range"', text)
        self.assertNotIn('<script', text)

    def test_baseline(self):
        text = self.page(run='baseline', model='baseline', hparams_override=None)
        self.assertIn('the probability of the class', text)
        self.assertNotIn('type="range"', text)

    def test_two_targets(self):
        pairs = f'{self.directory}/pairs.tfrecords'
        testing.write_pairs(pairs, 30)
        text = self.page(run='pairs', data_dir=pairs, num_targets=2)
        self.assertEqual(text.count('type="range"'), 16)
        self.assertIn('0 and 1', text)

    def test_refuses_what_it_cannot_show(self):
        with self.assertRaisesRegex(UserError, '--report needs --summary_dir'):
            self.options(train=False, summary_dir=None, checkpoint='x', report=True).check()
        with self.assertRaisesRegex(UserError, '--report: found --num_trials=2'):
            options = self.options(train=False, checkpoint='{}', num_trials=2, report=True)
            options.check()

    def test_picks_a_recognised_example_where_there_is_one(self):
        scores = np.eye(3, dtype=np.float32)[[1, 0, 1, 0]]
        evaluation = judge(scores, np.array([[0], [0], [1], [2]]), 0.0)
        self.assertEqual(report_examples.of_classes(evaluation), {0: 1, 1: 2, 2: 3})

    def test_mistakes_come_most_confident_first_as_probabilities_of_logits(self):
        logits = np.array([[0, 2, 0], [5, 0, 0], [0, 0, 4]], np.float32)
        evaluation = judge(logits, np.array([[0], [0], [1]]), 0.0)
        model = build_model('baseline', HParams(), DatasetInfo(20, 20, 1, num_classes=3))
        confidence = model.confidences(evaluation.scores)
        self.assertAllClose(confidence.sum(axis=1), np.ones(3))
        found = report_examples.mistakes(evaluation, confidence, 5)
        self.assertEqual([mistake.index for mistake in found], [2, 0])
        self.assertEqual((found[0].missed, found[0].found), (1, 2))
        self.assertNear(found[0].confidence, np.exp(4) / (np.exp(4) + 2), 1e-6)

    def test_long_curves_are_thinned_to_means(self):
        steps = np.arange(10_000.0)
        thinned = report_curves.thin(np.stack([steps, 3 * steps], axis=1))
        self.assertLen(thinned, report_curves.MOST_POINTS)
        self.assertAllClose(thinned[0], [12, 36])  # of 25 points
        self.assertAllClose(thinned.mean(axis=0), [steps.mean(), 3 * steps.mean()])

    def test_curves_show_percent_wrong(self):
        self.assertNotEmpty(self.usual_page)
        accuracy = curves.read(f'{self.directory}/run/test')['accuracy']
        (_, loss), (name, wrong) = report_curves.draw(
            f'{self.directory}/run/train', f'{self.directory}/run/test'
        )
        self.assertEqual(name, 'Wrong (%) in training and test over steps')
        self.assertLen(accuracy.steps, 1)
        for picture in (loss, wrong):
            svg = base64.b64decode(picture.partition(',')[2])
            self.assertIn(b'</svg>', svg)


if __name__ == '__main__':
    tf.test.main()
