"""Draws figures in one style: Okabe and Ito's colours, and text that is legible at half size.

Matplotlib is used without pyplot: there is no display, no global figure and no window.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from jobs.visualization.curves import Curve, thin_curve
from jobs.visualization.images import FIRST_COLOUR, SECOND_COLOUR, encode_png, montage

STYLE: dict[Any, object] = {
    'figure.dpi': 120,
    'figure.facecolor': 'white',
    'figure.constrained_layout.use': True,
    'font.size': 12,
    'text.parse_math': False,  # names may hold dollar signs
    'axes.titlesize': 13,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '0.9',
    'image.cmap': 'gray',
    'image.interpolation': 'nearest',
    'lines.linewidth': 2,
    'lines.markersize': 6,
    'legend.frameon': False,
}
# Matplotlib's own, and for names in other scripts what systems have.
FONTS = ('DejaVu Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', 'Arial Unicode MS')
MOST_INCHES = 11  # for all pictures of a row: pairs side by side are wide
MOST_COUNTED_CLASSES = 20  # with more, the numbers in a confusion matrix would overlap
MOST_COLUMNS = 8  # of examples beside each other; more go below


def _styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    @functools.wraps(draw)
    def styled(*args, **kwargs) -> Figure:
        installed = {*font_manager.fontManager.get_font_names()}
        style = {**STYLE, 'font.family': [font for font in FONTS if font in installed]}
        with (
            matplotlib.rc_context({**matplotlib.rcParamsDefault, **style, 'backend': 'agg'}),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings('ignore', 'Glyph')  # which no font has: a box stands for it
            figure = draw(*args, **kwargs)
            # Layout and text follow the style only while it holds.
            FigureCanvasAgg(figure).draw()
            return figure

    return styled


def render_figure(figure: Figure) -> np.ndarray:
    """A figure of this file as pixels, [height, width, 3] uint8."""
    canvas: Any = figure.canvas  # of _styled
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def encode_figure(figure: Figure) -> bytes:
    """A figure of this file as a PNG; without colours, one with a third of the bytes a pixel."""
    picture = render_figure(figure)
    is_gray = (picture == picture[..., :1]).all()
    return encode_png(picture[..., 0] if is_gray else picture)


def shorten(text: str, letters: int) -> str:
    """Text of at most so many letters."""
    return text if len(text) <= letters else f'{text[: letters - 1]}…'


@_styled
def draw_confusion(
    counts: np.ndarray, title: str, class_names: Sequence[str] | None = None
) -> Figure:
    """`choose.confusion_matrix`; colours show mistakes as a share of their row."""
    classes = len(counts)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mistakes = np.ma.masked_where(np.eye(classes, dtype=bool), shares)
    figure = Figure(figsize=(7.4, 6.4))
    axes = figure.add_subplot()
    # Were the diagonal on the same scale, a good network's mistakes would all be white.
    highest = float(np.max(shares, where=~mistakes.mask, initial=0)) or 1.0
    colours = matplotlib.colormaps['Blues'].with_extremes(bad='0.88')
    image = axes.imshow(mistakes, cmap=colours, vmin=0, vmax=highest)
    if classes <= MOST_COUNTED_CLASSES:
        for row, column in zip(*np.nonzero(counts + np.eye(classes)), strict=True):
            is_dark = row != column and shares[row, column] > highest / 2
            text = axes.text(column, row, f'{counts[row, column]:.4g}', ha='center', va='center')
            text.set(color='white' if is_dark else 'black', fontsize=11)
        names = [shorten(name, 20) for name in class_names or map(str, range(classes))]
        axes.set_xticks(range(classes), names, rotation=90 if class_names else 0)
        axes.set_yticks(range(classes), names)
    axes.grid(False)
    axes.set(xlabel='predicted class', ylabel='class of the label', title=title)
    figure.colorbar(image, shrink=0.8, label="mistakes, % of the class's targets")
    return figure


@_styled
def draw_strips(
    strips: dict[str, np.ndarray], column_titles: Sequence[str], title: str, side: float = 1.1
) -> Figure:
    """Rows of pictures with a name each, under a title for every column.

    Columns beyond `MOST_COLUMNS` go below the first, with rows of their own.

    Args:
      strips: [columns, height, width, 3] pictures by their name.
      column_titles: one for each picture of a strip.
      title: of the figure.
      side: inches of a picture's height, if there is room.
    """
    columns = min(MOST_COLUMNS, len(column_titles))
    blocks = -(-len(column_titles) // columns)
    height, width = next(iter(strips.values())).shape[1:3]
    side = min(side, MOST_INCHES * height / (columns * width))
    lines = max(text.count('\n') + 1 for text in column_titles)
    heading = 0.45 + 0.25 * title.count('\n') + blocks * 0.25 * (lines + 1)
    size = (1.7 + columns * side * width / height, heading + blocks * side * len(strips))
    figure = Figure(figsize=size)
    grid = figure.subplots(blocks * len(strips), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for number, text in enumerate(column_titles):
        block, column = divmod(number, columns)
        rows = grid[block * len(strips) : (block + 1) * len(strips), column]
        for axes, (name, pictures) in zip(rows, strips.items(), strict=True):
            axes.imshow(pictures[number], vmin=0, vmax=1)
            if column == 0:
                axes.set_ylabel(name, rotation=0, ha='right', va='center', labelpad=8)
        rows[0].set_title(text, fontsize=11)
    figure.suptitle(title, wrap=True)
    return figure


@_styled
def draw_perturbations(tiles: np.ndarray, offsets: np.ndarray, title: str) -> Figure:
    """Tiles [dimensions, offsets, height, width, 3] in a table, as paper Fig. 4 has them."""
    rows, columns, height, width, _ = tiles.shape
    picture = montage(tiles)
    figure = Figure(figsize=(7.2, 1.1 + 6.3 * picture.shape[0] / picture.shape[1]))
    axes = figure.add_subplot()
    axes.imshow(picture, vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    # The ends and the middle have names: all of them would touch.
    names = [''] * columns
    for named in (0, columns // 2, columns - 1):
        names[named] = f'{offsets[named]:+.2g}' if offsets[named] else '0'
    axes.set_xticks(np.arange(columns) * (width + 1) + (width - 1) / 2, names)
    axes.set_yticks(np.arange(rows) * (height + 1) + (height - 1) / 2, map(str, range(1, rows + 1)))
    axes.set(
        xlabel=f'added to the dimension, in steps of {offsets[1] - offsets[0]:.2g}',
        ylabel='dimension of the capsule',
        title=title,
    )
    return figure


@_styled
def draw_logit_changes(changes: np.ndarray, own_iterations: int, title: str) -> Figure:
    """Mean change of a routing logit at each iteration (paper Fig. A.1)."""
    figure = Figure(figsize=(7.6, 4.8))
    axes = figure.add_subplot()
    iterations = np.arange(1, len(changes) + 1)
    axes.plot(iterations, changes, 'o-', color=FIRST_COLOUR, label='this network')
    if own_iterations <= len(changes):
        label = f'this network stops after {own_iterations}'
        axes.axvline(own_iterations, color='0.5', linestyle='--', linewidth=1.2, label=label)
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel='routing iteration', ylabel='mean |change of a routing logit|')
    axes.legend()
    figure.suptitle(title, wrap=True)
    return figure


@_styled
def draw_curves(train: dict[str, Curve], test: dict[str, Curve], title: str) -> Figure:
    """Loss and error over training steps, from scalars by tag."""
    figure = Figure(figsize=(9.6, 4.2))
    loss, error = figure.subplots(1, 2)
    runs = (
        ('training', train, {'color': FIRST_COLOUR, 'linewidth': 1.2}),
        ('test', test, {'color': SECOND_COLOUR, 'marker': 'o', 'zorder': 3}),
    )
    for name, curves, look in runs:
        if 'loss/total' in curves:
            loss.plot(*thin_curve(curves['loss/total']), label=name, **look)
        if 'accuracy' in curves:
            steps, accuracy = thin_curve(curves['accuracy'])
            error.plot(steps, 100 * (1 - accuracy), label=name, **look)
    loss.set(xlabel='training step', ylabel='total loss', yscale='log')
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    error.set(xlabel='training step', ylabel='wrong predictions, %')
    error.set_yscale('symlog', linthresh=1)  # there is no logarithm of 0 % wrong
    error.set_ylim(0)
    error.set_yticks([0, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100])
    for axes in (loss, error):
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter('{x:g}')
        axes.set_xlim(0)
        if axes.lines:
            axes.legend()
    figure.suptitle(title, wrap=True)
    return figure
