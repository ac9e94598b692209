"""Curves read back from event files."""

import pathlib
from typing import NamedTuple

import numpy as np

MOST_POINTS = 400  # of a drawn curve; longer ones are means over neighbours


class Curve(NamedTuple):
    """A scalar over training steps."""

    steps: np.ndarray  # [points] int64, rising
    values: np.ndarray  # [points] float64


def read_curves(directory: str) -> dict[str, Curve]:
    """The scalars in the event files of a directory, by tag; it may be missing.

    Of several values at a step, as resumed trainings and repeated evaluations leave them, the
    last one written counts.
    """
    # Lazily: TensorBoard's reader takes a while to import.
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    points: dict[str, dict[int, float]] = {}
    for path in sorted(pathlib.Path(directory).glob('events.out.tfevents.*')):
        if not path.is_file():
            continue
        kinds: dict[str, str] = {}  # a file names the kind of a tag at its first value only
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                kinds.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
                if kinds[value.tag] == 'scalars':
                    number = float(make_ndarray(value.tensor))
                    points.setdefault(value.tag, {})[event.step] = number
    return {
        tag: Curve(*map(np.array, zip(*sorted(by_step.items()), strict=True)))
        for tag, by_step in points.items()
    }


def thin_curve(curve: Curve, most_points: int = MOST_POINTS) -> Curve:
    """Means over neighbours, so that at most `most_points` are left."""
    count = min(most_points, len(curve.steps))
    return Curve(
        *(np.array([part.mean() for part in np.array_split(axis, count)]) for axis in curve)
    )
