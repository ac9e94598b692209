"""How a run went: the scalars of its event files, drawn as SVG."""

import io

import numpy as np

from jobs.visualization import curves as figure_curves
from jobs.visualization import report_images

MOST_POINTS = 400  # of a drawn curve; longer ones are means over neighbours
LOSS, ACCURACY = 'loss/total', 'accuracy'
STYLES = {
    'training': {'color': '#8fb4dd'},
    'test': {'color': '#b3261e', 'marker': 'o', 'markersize': 4},
}
SCALES = {
    LOSS: {'value': 'log'},
    ACCURACY: {'value': 'symlog', 'linthresh': 1},  # there is no logarithm of 0 % wrong
}

Points = np.ndarray  # [points, 2] float64: step, value


def draw(train_dir: str, test_dir: str) -> list[tuple[str, str]]:
    """Loss and error over training steps, of training and test.

    Returns:
      (what the picture shows, its data URI) of each; empty where nothing was written.
    """
    found = {'training': figure_curves.read(train_dir), 'test': figure_curves.read(test_dir)}
    pictures = []
    for tag, title in ((LOSS, 'Loss'), (ACCURACY, 'Wrong (%)')):
        curves = {
            split: np.stack([curves[tag].steps, curves[tag].values], axis=1)  # [points, 2]
            for split, curves in found.items()
            if tag in curves
        }
        if tag == ACCURACY:
            curves = {split: points * [1, -100] + [0, 100] for split, points in curves.items()}
        if curves:
            name = f'{title} in {" and ".join(curves)} over steps'
            pictures.append((name, _svg(title, curves, SCALES[tag])))
    return pictures


def thin(points: Points) -> Points:
    """Means over neighbours, so that at most `MOST_POINTS` are left."""
    parts = np.array_split(points, min(MOST_POINTS, len(points)))
    return np.array([part.mean(axis=0) for part in parts])


def _svg(title: str, curves: dict[str, Points], scale: dict) -> str:
    # A figure of its own, without pyplot: no window system is looked for, nothing stays behind.
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    with matplotlib.rc_context({'svg.hashsalt': 'report', 'font.size': 11}):
        figure = Figure(figsize=(5.2, 3.4), layout='constrained')
        axes = figure.add_subplot()
        for split, points in curves.items():
            axes.plot(*thin(points).T, label=split, **STYLES[split])
        axes.set(title=title, xlabel='step', xlim=(0, None))
        axes.set_yscale(**scale)
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.grid(color='#dddddd', linewidth=0.6)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format='svg', metadata={'Date': None})
    return report_images.data_uri('image/svg+xml', buffer.getvalue())
