"""Tells how a training gets on: a bar on a terminal, plain lines elsewhere."""

import sys
import time

import tqdm

SECONDS_BETWEEN_LINES = 10


class Progress:
    """Shows step, loss, accuracy, images/s, seconds a step and the time left.

    Args:
      first_step: where the run starts.
      max_steps: where it ends.
      quiet: show nothing (the workers of a cluster that are not its chief).
    """

    def __init__(self, first_step: int, max_steps: int, quiet: bool = False):
        self._max_steps = max_steps
        self._quiet = quiet
        self._last_line, self._last_step = time.monotonic(), first_step
        self._bar = None
        if not quiet and sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                initial=first_step, total=max_steps, unit='step', dynamic_ncols=True, smoothing=0.05
            )

    def show(self, step: int, loss: float, accuracy: float, images_per_second: float) -> None:
        """Call every few steps; prints only as often as is pleasant to read."""
        numbers = f'loss {loss:.5f}, accuracy {accuracy:.2%}, {images_per_second:.0f} images/s'
        if self._bar is not None:
            self._bar.set_postfix_str(numbers, refresh=False)
            self._bar.update(step - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES and step < self._max_steps:
            return
        # Of the steps since the last line: a mean over all would carry a pause along to the end.
        seconds_a_step = (now - self._last_line) / max(1, step - self._last_step)
        self._last_line, self._last_step = now, step
        left = tqdm.tqdm.format_interval((self._max_steps - step) * seconds_a_step)
        self.say(
            f'step {step}/{self._max_steps}: {numbers}, {seconds_a_step:.3g} s a step, {left} left'
        )

    def say(self, line: str) -> None:
        """Prints a line of its own, above the bar if there is one."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.clear()
        print(line, flush=True)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
