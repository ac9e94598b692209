"""Seconds of a training step against batch size, routing iterations and primary capsule types."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import measure, networks

PLOT = pathlib.Path(__file__).parent / 'scaling.png'


class Sweep(NamedTuple):
    """One quantity varied, the others at their defaults."""

    name: str
    values: tuple[int, ...]
    overrides: str  # hparams, with {} for the value; '' where it is the batch size


SWEEPS = (
    Sweep('batch_size', (16, 32, 64, 128, 256, 512), ''),
    Sweep('routing', (1, 2, 3, 4, 5), 'routing={}'),
    Sweep('num_prime_capsules', (8, 16, 32, 64), 'num_prime_capsules={}'),
)


def stepper(batch_size: int, overrides: str) -> Callable[[], object]:
    """A function that makes one training step."""
    model = networks.build('mnist', overrides)
    batch = networks.random_batch(model.info, batch_size)
    step = tf.function(model.train_step)
    return lambda: step(batch).losses.total.numpy()


def line_through(values: tuple[int, ...], times: list[float]) -> tuple[float, float]:
    """Slope and value at 0 of the straight line nearest to the relative values."""
    slope, start = np.polyfit(values, times, 1, w=1 / np.array(times))
    return float(slope), float(start)


def draw(results: dict[str, list[float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout='constrained')
    for axes, sweep in zip(figure.subplots(1, len(SWEEPS)), SWEEPS, strict=True):
        times = results[sweep.name]
        slope, start = line_through(sweep.values, times)
        ends = np.array([0, sweep.values[-1]])
        axes.plot(ends, start + slope * ends, color='tab:gray', linewidth=1)
        axes.plot(sweep.values, times, 'o')
        axes.set_xlabel(sweep.name)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    figure.axes[0].set_ylabel('seconds a training step')
    figure.savefig(PLOT, dpi=120)


def main() -> None:
    arguments = measure.parse_arguments(__doc__, batch_size=128, rounds=5, plot=False)
    results = {}
    for sweep in SWEEPS:
        steppers = [
            stepper(
                arguments.batch_size if sweep.overrides else value, sweep.overrides.format(value)
            )
            for value in sweep.values
        ]
        times = measure.seconds(steppers, arguments.rounds)
        for value, seconds in zip(sweep.values, times, strict=True):
            line = {'varied': sweep.name, 'value': value, 'seconds': seconds}
            measure.report('scaling', line, arguments.json)
        slope, start = line_through(sweep.values, times)
        line = {'varied': sweep.name, 'seconds_each': slope, 'seconds_at_0': start}
        measure.report('scaling', line, arguments.json)
        results[sweep.name] = times
    if arguments.plot:
        draw(results)


if __name__ == '__main__':
    main()
