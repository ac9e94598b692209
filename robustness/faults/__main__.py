"""What runs leave that are killed, find the disk full or lose a worker, and how they go on.

python -m robustness.faults [--moments=20] [--only=NAME] [--json]

Prints a line for each fault. A moment has passed if what was finished then is whole, and the same
command, given again, ends with the bytes of a run that nothing disturbed. Exit status 1 if any
has not; a line on standard error says what was wrong.
"""

import pathlib
import random
import sys
import tempfile
import time

from benchmarks import measure
from robustness.faults import cluster, disk, files, training

FAULTS = {
    'killed_in_training': training.killed_in_training,
    'killed_in_saving': training.killed_in_saving,
    'stopped': training.stopped,
    'followed': training.followed,
    'killed_in_mnist_shift': files.killed_in_mnist_shift,
    'killed_in_download': files.killed_in_download,
    'full_in_training': disk.full_in_training,
    'full_in_mnist_shift': disk.full_in_mnist_shift,
    'full_in_download': disk.full_in_download,
    'dead_worker': cluster.dead_worker,
}


def measured(name: str, moments: int) -> dict[str, object]:
    """Tries a fault at some moments, the same ones for the same name and number."""
    started = time.monotonic()
    wrongs: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for wrong in FAULTS[name](pathlib.Path(folder), moments, random.Random(name)):
                wrongs.append(wrong)
                if wrong:
                    print(f'{name}, moment {len(wrongs)}: {wrong}', file=sys.stderr, flush=True)
        except disk.Skipped as reason:
            return {'skipped': str(reason)}
    return {
        'moments': len(wrongs),
        'passed': wrongs.count(''),
        'seconds': time.monotonic() - started,
    }


def main() -> int:
    arguments = measure.parse_arguments(
        f'{__doc__}\nNAME is one of {", ".join(FAULTS)}.', moments=20, only=''
    )
    names = [arguments.only] if arguments.only else list(FAULTS)
    if not FAULTS.keys() >= set(names):
        print(f'--only={arguments.only}: expected one of {", ".join(FAULTS)}', file=sys.stderr)
        return 1
    status = 0
    for name in names:
        result = measured(name, arguments.moments)
        measure.report(name, result, arguments.json)
        if result.get('passed') != result.get('moments'):
            status = 1
    return status


if __name__ == '__main__':
    sys.exit(main())
