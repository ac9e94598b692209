"""The report: what is on the page, and that nothing on it can run but its own script."""

import base64
import functools
import hashlib
import html
import pathlib
import re

import pytest
import tensorflow as tf

from common.errors import UserError
from input_data import testing
from jobs.options import RunOptions
from jobs.testing import make_class_folder, run_evaluation, run_training

pytestmark = pytest.mark.slow

SMALL = 'num_prime_capsules=2'
INJECTION = '</script><script>window.injected=1</script><img src=x onerror=alert(1)>'


class ReportTest(tf.test.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = make_class_folder(cls)
        cls.data = f'{cls.directory}/data'
        pathlib.Path(cls.data).mkdir()
        testing.write_singles(cls.data, 'train_2')
        testing.write_singles(cls.data, 'test_0', count=25)

    @functools.cached_property
    def usual_page(self):
        path = pathlib.Path(f'{self.directory}/run/test/report.html')
        return path.read_text(encoding='utf-8') if path.exists() else self.page()

    @property
    def figures_part(self):
        _, heading, rest = self.usual_page.partition('<h2 id="curves-title"')
        return (heading + rest).replace('\n', ' ')

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
        run_training(options)
        evaluation, printed = run_evaluation(
            self.options(**overrides, train=False, report=True, figures=True)
        )
        path = f'{options.summary_dir}/test/report.html'
        self.assertIn(f'Report {path}', printed)
        text = pathlib.Path(path).read_text(encoding='utf-8')
        self.assertIn(evaluation.line(), text)
        return text

    def test_tells_all_about_a_run_and_needs_nothing_else(self):
        text = self.usual_page
        self.assertIn('<td>num_prime_capsules=2</td>', text)
        self.assertIn('model.ckpt-2', text)
        self.assertEqual(text.count('type="range"'), 16)
        self.assertIn('25 test examples, loss 0.', text)
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
        self.assertIn('<h2 id="mistakes-title">Most confident mistakes</h2>', text)
        self.assertIn('Left out: routing_logits: this network has none: class capsules', text)
        self.assertNotIn('type="range"', text)

    def test_shows_the_very_figures_that_are_files(self):
        shown = dict(re.findall(r'<h2 id="(\w+)-title">.*?<img src="([^"]*)"', self.figures_part))
        wanted = ['curves', 'confusion_matrix', 'mistakes', 'masked_reconstructions']
        self.assertEqual(list(shown), [*wanted, 'routing_logits'])
        for name, address in shown.items():
            file = pathlib.Path(f'{self.directory}/run/test/figures/{name}.png').read_bytes()
            self.assertEqual(address, f'data:image/png;base64,{base64.b64encode(file).decode()}')

    def test_the_configuration_has_no_empty_rows(self):
        self.assertNotRegex(self.usual_page, '<td>(None|not given)?</td>')
        self.assertNotIn('<th scope="row">checkpoint</th>', self.usual_page)

    def test_a_capsule_moved_out_of_the_unit_ball_is_explained(self):
        self.assertIn('id="outside" class="quiet" hidden>Moved so far', self.usual_page)

    def test_two_targets(self):
        pairs = f'{self.directory}/pairs.tfrecords'
        testing.write_pairs(pairs, 30)
        text = self.page(run='pairs', data_dir=pairs, num_targets=2)
        self.assertEqual(text.count('type="range"'), 16)
        self.assertRegex(text, 'alt="Reconstructions [^"]*first target blue, second orange')

    def test_refuses_what_it_cannot_show(self):
        with self.assertRaisesRegex(UserError, '--report needs --summary_dir'):
            self.options(train=False, summary_dir=None, checkpoint='x', report=True).check()
        with self.assertRaisesRegex(UserError, '--report: found --num_trials=2'):
            options = self.options(train=False, checkpoint='{}', num_trials=2, report=True)
            options.check()


if __name__ == '__main__':
    tf.test.main()
