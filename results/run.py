"""Trains and evaluates what README.md's tables need and no file in results/measured/ holds yet.

Runs go one after another by the program's own command line, in `runs/`, and go on where they were
stopped. A run that ended is evaluated on the test set, once. A training made by hand with the same
flags is taken over: put its folder where the run's own would be, runs/NAME.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from common import files
from common.errors import UserError, explain_error
from jobs import startup
from jobs.run import Run
from jobs.visualization import curves
from results.runs import FOLDER, RUNS, Data, RunSpec, read_runs

ROOT = FOLDER.parent
MOST_POINTS = 100  # of a kept learning curve


def measure_run(run: RunSpec, data: Data, folder: pathlib.Path, measured: pathlib.Path) -> None:
    """Trains a run to its end, evaluates it and writes `measured/NAME.json`.

    Raises:
      UserError: if a command fails, or the folder holds a training with other flags.
    """
    place = Run(str(folder / run.name))
    check_flags(run, place)
    if not (ROOT / data.holds).exists():
        for command in data.made_by:
            run_command(shlex.split(command)[1:])
    if not os.path.exists(place.finished_path):
        run_command(['experiment.py', *run.train_flags(folder)])
    run_command(['experiment.py', *run.test_flags(folder)])
    files.write_json(measured / f'{run.name}.json', describe_result(run, place))


def check_flags(run: RunSpec, place: Run) -> None:
    """Refuses to go on with, or to take over, a training of other flags than the run's.

    Raises:
      UserError: naming the first flag that differs.
    """
    if place.config is None:
        return
    flags = place.config['flags']
    wanted: dict[str, Any] = {**run.flags, 'max_steps': run.steps, 'seed': run.seed}
    del wanted['data_dir']  # the same data may lie elsewhere
    for name, value in wanted.items():
        if str(flags.get(name)) != str(value):
            raise UserError(
                f'{place.config_path}: found a training with --{name}={flags.get(name)}; expected '
                f'--{name}={value}: move the folder away to train {run.name} anew'
            )


def run_command(arguments: Sequence[str]) -> None:
    """Runs a program of this project with this interpreter.

    Raises:
      UserError: if it fails.
    """
    print('+ python', shlex.join(arguments), flush=True)
    status = subprocess.run([sys.executable, *arguments], cwd=ROOT).returncode
    if status:
        raise UserError(f'python {shlex.join(arguments)}: found exit status {status}; expected 0')


def describe_result(run: RunSpec, place: Run) -> dict[str, Any]:
    """What README.md's tables and curves are made of."""
    with open(place.results_path, encoding='utf-8') as lines:
        result = json.loads([*lines][-1])
    config = place.read_config() or {}
    startup.import_tensorflow()  # without its chatter: the reader of event files wants it
    scalars = curves.read_curves(place.train_dir)
    # Of the slowest hours too, as a machine has them that does other work beside.
    images_per_second = float(np.median(scalars['images_per_second'].values))
    batch_size = config['flags']['batch_size']
    curve = zip(*curves.thin_curve(scalars['accuracy'], MOST_POINTS), strict=True)
    return {
        'error': result['wrong_percent'],
        'wrong': result['num_wrong'],
        'examples': result['num_examples'],
        'steps': result['step'],
        'seed': config['seed'],
        'seconds': round(run.steps * batch_size / images_per_second),
        'images_per_second': round(images_per_second, 1),
        'command': shlex.join(['python', 'experiment.py', *run.train_flags(pathlib.Path('runs'))]),
        'commit': describe_commit(),
        'versions': config['versions'],
        'processor': describe_processor(),
        'date': datetime.date.today().isoformat(),
        'curve': [[round(step), round(100 * (1 - accuracy), 3)] for step, accuracy in curve],
    }


def describe_commit() -> str:
    """The commit of this checkout, marked where files differ from it; '' outside of one."""
    found = subprocess.run(
        ['git', 'describe', '--always', '--dirty', '--abbrev=12'],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


def describe_processor() -> str:
    """The processor's name and the number of its cores that may be used."""
    name = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path('/proc/cpuinfo').read_text('utf-8').splitlines()
        name = next(line.partition(':')[2].strip() for line in lines if 'model name' in line)
    except (OSError, StopIteration):
        pass  # no Linux
    count = len(os.sched_getaffinity(0))
    return f'{name}, {count} core{"s" if count > 1 else ""}'


def list_runs(runs: Sequence[RunSpec], folder: pathlib.Path, measured: pathlib.Path) -> None:
    """Prints a line for each run: measured, trained so far or left, and the hours that it needs."""
    # Lazily: TensorFlow takes 0.7 GB, which a training of hours on a small machine may need.
    startup.import_tensorflow()
    from models import checkpoint

    left = 0.0
    for run in runs:
        result = run.read_measured(measured)
        if result is not None:
            print(f'{run.name:28} measured  {result["error"]:.2f} % wrong, {result["date"]}')
            continue
        step = max(checkpoint.steps(Run(str(folder / run.name)).train_dir), default=0)
        hours = (run.steps - step) * run.seconds / 3600
        left += hours
        state = f'at step {step} of {run.steps}' if step else 'not run'
        print(f'{run.name:28} {state}, {hours:.1f} h left')
    print(f'{left:.1f} hours in all')


def main(arguments: Sequence[str] | None = None, path: pathlib.Path = RUNS) -> None:
    """Measures the runs of the list at `path` that are named, or all."""
    parser = argparse.ArgumentParser('results.run', description=__doc__)
    parser.add_argument('names', nargs='*', metavar='NAME', help='runs; by default all')
    parser.add_argument('--list', action='store_true', help='only show what is done and left')
    parser.add_argument('--runs', type=pathlib.Path, default=ROOT / 'runs', help='for trainings')
    parser.add_argument('--measured', type=pathlib.Path, default=FOLDER / 'measured')
    options = parser.parse_args(arguments)
    runs, data = read_runs(path)
    unknown = sorted({*options.names} - {run.name for run in runs})
    if unknown:
        names = ', '.join(run.name for run in runs)
        raise UserError(f'{unknown[0]}: no such run in {path.name}; expected some of {names}')
    chosen = [run for run in runs if not options.names or run.name in options.names]
    if options.list:
        list_runs(chosen, options.runs, options.measured)
        return
    failed = []
    for run in chosen:
        if run.read_measured(options.measured) is None:
            try:
                measure_run(run, data[run.data], options.runs, options.measured)
            except UserError as error:  # the others need not wait for a night in vain
                print(f'{run.name}: {error}', file=sys.stderr, flush=True)
                failed.append(run.name)
    if failed:
        raise UserError(f'{", ".join(failed)}: not measured, for the reasons above')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        sys.exit('results.run: interrupted; the same command goes on')
    except Exception as error:
        told = explain_error(error)
        if told is None:
            raise
        sys.exit(f'results.run: {told}')
