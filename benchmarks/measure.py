"""The command line of a benchmark, timing, and how results are printed."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Collection, Sequence


def parse_arguments(description: str, **defaults) -> argparse.Namespace:
    """Command line of a benchmark: --json, and an option for each default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    for name, value in defaults.items():
        if isinstance(value, bool):
            parser.add_argument(f'--{name}', action='store_true')
            continue
        parser.add_argument(f'--{name}', type=type(value), default=value, help=f'default: {value}')
    return parser.parse_args()


def split(flag: str, text: str, choices: Collection[str]) -> list[str]:
    """What a list with commas names; ends the program where that is none of the choices."""
    for name in text.split(','):
        if name not in choices:
            raise SystemExit(f'--{flag}: {name!r} is none of {", ".join(choices)}.')
    return text.split(',')


def seconds(functions: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Median seconds of each function; they take turns, so that noise meets all alike."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, row in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            row.append(time.perf_counter() - start)
    return [statistics.median(row) for row in times]


def report(name: str, result: dict[str, object], as_json: bool) -> None:
    """Prints a result as a line, or as JSON."""
    if as_json:
        print(json.dumps({'benchmark': name, **result}), flush=True)
        return
    parts = (f'{key} {f"{v:.4g}" if isinstance(v, float) else v}' for key, v in result.items())
    print(f'{name}: {", ".join(parts)}', flush=True)
