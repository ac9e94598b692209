"""Lines about a training, by a clock that the test sets."""

import contextlib
import io
from unittest import mock

from absl.testing import absltest

from jobs.training import progress


class ProgressTest(absltest.TestCase):
    def test_time_left_forgets_a_pause(self):
        printed = io.StringIO()
        with (
            mock.patch.object(progress.time, 'monotonic') as clock,
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(io.StringIO()),  # no terminal
        ):
            clock.return_value = 0.0
            shown = progress.Progress(first_step=100, max_steps=200)
            for step, seconds in ((105, 5), (110, 20), (120, 1000), (140, 1010)):
                clock.return_value = float(seconds)
                shown.show(step, loss=0.5, accuracy=0.25, images_per_second=64)
        numbers = 'loss 0.50000, accuracy 25.00%, 64 images/s'
        self.assertEqual(
            printed.getvalue().splitlines(),
            [  # none after 5 s
                f'step 110/200: {numbers}, 2 s a step, 03:00 left',
                f'step 120/200: {numbers}, 98 s a step, 2:10:40 left',
                f'step 140/200: {numbers}, 0.5 s a step, 00:30 left',
            ],
        )


if __name__ == '__main__':
    absltest.main()
