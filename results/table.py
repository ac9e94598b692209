"""Writes results/README.md and its picture from results/measured/ alone."""

import pathlib
import statistics
from typing import Any, NamedTuple

import jinja2
import numpy as np

from common import files
from jobs.visualization.curves import Curve, thin_curve
from results.runs import FOLDER, RunSpec, read_runs

TEMPLATE, PAGE, PICTURE = 'README.md.jinja', 'README.md', 'curves.png'
POINTS = 25  # of a drawn line: single batches scatter


class Row(NamedTuple):
    """Runs that differ in nothing but their seed."""

    title: str
    runs: list[RunSpec]
    measured: list[dict[str, Any]]  # of those that were

    @property
    def ours(self) -> str:
        """Error in percent: mean and standard deviation over seeds."""
        errors = [one['error'] for one in self.measured]
        if not errors:
            hours = self.runs[0].steps * self.runs[0].seconds / 3600
            return f'not run ({hours:.1f} h)'
        if len(errors) == 1:
            return f'{errors[0]:.2f} (1 seed)'
        mean, deviation = statistics.mean(errors), statistics.stdev(errors)
        return f'{mean:.2f} ± {deviation:.2f} ({len(errors)} seeds)'

    @property
    def training(self) -> str:
        """Error in percent on training batches, mean over the last tenth of the steps and seeds."""
        ends = [one['curve'][-max(1, len(one['curve']) // 10) :] for one in self.measured]
        errors = [error for end in ends for _, error in end]
        return f'{statistics.mean(errors):.2f}' if errors else ''

    @property
    def cost(self) -> str:
        """What one of the runs took."""
        if not self.measured:
            return ''
        one = self.measured[0]
        return f'{one["seconds"] / 3600:.1f} h on {one["processor"]}'


def make_page(measured: pathlib.Path = FOLDER / 'measured') -> str:
    """The text of README.md."""
    runs, _ = read_runs()
    results = {run.name: run.read_measured(measured) for run in runs}
    tables: dict[str, dict[str, Row]] = {}
    for run in runs:
        row = tables.setdefault(run.table, {}).setdefault(run.row, Row(run.row, [], []))
        row.runs.append(run)
        if (result := results[run.name]) is not None:
            row.measured.append(result)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (Markdown of our own numbers)
    )
    return environment.get_template(TEMPLATE).render(tables=tables, results=results)


def draw_curves(measured: pathlib.Path = FOLDER / 'measured'):
    """Error against steps and against minutes, for each measured MNIST run.

    A line is the error on training batches, means over neighbours; a dot that on the test set.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(9.6, 4.2), layout='constrained')
    by_steps, by_minutes = figure.subplots(1, 2, sharey=True)
    for run in read_runs()[0]:
        result = run.read_measured(measured)
        if result is None or run.table != 'MNIST':
            continue
        steps, errors = thin_curve(Curve(*np.array(result['curve']).T), POINTS)
        label = f'{run.name.removeprefix("mnist/")}: {result["error"]:.2f} % on the test set'
        for axes, unit in ((by_steps, 1), (by_minutes, result['seconds'] / 60 / result['steps'])):
            [line] = axes.plot(steps * unit, errors, label=label)
            axes.plot(result['steps'] * unit, result['error'], 'o', color=line.get_color())
    by_steps.set(xlabel='training steps', ylabel='wrong predictions, %')
    by_steps.xaxis.set_major_formatter('{x:,.0f}')
    by_minutes.set(xlabel='minutes of training')
    for axes in (by_steps, by_minutes):
        axes.set_xlim(0)
        axes.set_yscale('log', nonpositive='clip')
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter('{x:g}')
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(color='0.9')
    by_steps.legend(frameon=False, fontsize=9)
    return figure


def main() -> None:
    """Writes the page and its picture."""
    with files.replacing(FOLDER / PAGE) as [beside]:
        beside.write_text(make_page(), encoding='utf-8')
    with files.replacing(FOLDER / PICTURE) as [beside]:
        draw_curves().savefig(beside, format='png', dpi=120)


if __name__ == '__main__':
    main()
