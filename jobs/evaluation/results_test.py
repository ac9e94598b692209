"""Results of evaluations are kept line by line, and only like is compared with like."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from jobs.evaluation import results, scoring
from jobs.run import Run

MNIST = {'dataset': 'mnist', 'split': 'test'}


def evaluation(wrong, count=10):
    """Of `count` examples of class 0, of which the first `wrong` are taken for class 1."""
    scores = np.eye(2, dtype=np.float32)[[1] * wrong + [0] * (count - wrong)]
    judged = scoring.judge(scores, np.zeros([count, 1], np.int32), 0.5)
    return judged._replace(classification=0.5)


class ResultsTest(tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.run_kept = Run(self.create_tempdir().full_path)

    def record(self, step, wrong, count=10, examples=MNIST):
        results.record(
            self.run_kept, f'model.ckpt-{step}', step, evaluation(wrong, count), examples
        )
        return json.loads(pathlib.Path(self.run_kept.best_path).read_text())['step']

    def test_best_is_of_the_same_examples(self):
        self.assertEqual(self.record(1, 3), 1)
        self.assertEqual(self.record(2, 5), 1)
        self.assertEqual(self.record(3, 1, count=5), 3)
        self.assertEqual(self.record(4, 6, examples={**MNIST, 'split': 'valid_test'}), 4)
        self.assertEqual(self.record(5, 6, examples={**MNIST, 'dataset': 'affnist'}), 5)
        self.assertEqual(self.record(6, 4), 1)
        self.assertEqual(self.record(7, 2), 7)

    def test_a_cut_line_does_not_swallow_the_next(self):
        self.record(1, 3)
        path = pathlib.Path(self.run_kept.results_path)
        path.write_bytes(path.read_bytes() + path.read_bytes()[:40])
        self.assertEqual(self.record(2, 4), 1)
        whole, cut, last = path.read_text().splitlines()
        self.assertEqual([json.loads(line)['step'] for line in (whole, last)], [1, 2])
        self.assertEqual(cut, whole[:40])
        self.assertTrue(path.read_text().endswith('\n'))

    def test_a_full_disk_is_told_with_the_file(self):
        with self.assertRaisesRegex(OSError, "No space left on device: '/dev/full'"):
            results._append_line('/dev/full', '{}')

    def test_lines_of_older_versions_are_passed_by(self):
        path = pathlib.Path(self.run_kept.results_path)
        path.parent.mkdir()
        path.write_text('{"step": 1, "num_examples": 10, "wrong_percent": 0.0}\n')
        self.assertEqual(self.record(2, 4), 2)


if __name__ == '__main__':
    tf.test.main()
