"""Do memory, threads or open files grow in a long training and the job that follows it?

python -m robustness.faults.long_run [--steps=5000] [--json]

The training writes checkpoints and summaries, the other job evaluates each checkpoint. Prints a
line for each: memory from step 500 on, when everything has been done at least once, to the end.
Exit status 1 if memory grew by 5 % or more, or threads or open files by any.
"""

import concurrent.futures
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks import measure
from input_data import testing as records
from jobs import testing
from models import checkpoint

WARM_STEPS = 500
SECONDS_BETWEEN_LOOKS = 0.5
ALLOWED_GROWTH = 0.05


class Look(NamedTuple):
    """What the system says of a process at a moment."""

    step: int  # of the newest checkpoint
    memory_gb: float  # resident, 10^9 bytes
    threads: int
    files: int


def look(pid: int, step: int) -> Look:
    """Looks at a running process (on Linux)."""
    folder = pathlib.Path('/proc', str(pid))
    status = dict(line.split(':', 1) for line in (folder / 'status').read_text().splitlines())
    memory_gb = int(status['VmRSS'].split()[0]) * 1024 / 1e9
    return Look(step, memory_gb, int(status['Threads']), len(os.listdir(folder / 'fd')))


def growth(looks: list[Look]) -> dict[str, object]:
    """Compares the first quarter of the looks from step WARM_STEPS on with the last one.

    Python frees cycles of references now and then only: single looks differ by that.
    """
    warm = [found for found in looks if found.step >= WARM_STEPS]
    part = len(warm) // 4
    first, last = warm[:part], warm[-part:]

    def compare(name: str, choose: Callable) -> tuple[float, float]:
        return tuple(choose(getattr(found, name) for found in part) for part in (first, last))

    memory = compare('memory_gb', statistics.median)
    # The fewest: what is open for a moment only does not count.
    threads, files = compare('threads', min), compare('files', min)
    growth = memory[1] / memory[0] - 1
    return {
        'looks': len(warm),
        'memory_gb': memory[0],
        'memory_gb_at_the_end': memory[1],
        'growth_percent': 100 * growth,
        'threads': threads[0],
        'threads_at_the_end': threads[1],
        'files': files[0],
        'files_at_the_end': files[1],
        'passed': growth < ALLOWED_GROWTH and threads[1] <= threads[0] and files[1] <= files[0],
    }


def watch(jobs: dict[str, subprocess.Popen], train_dir: str) -> dict[str, list[Look]]:
    """Looks at both jobs until the training ends."""
    looks: dict[str, list[Look]] = {name: [] for name in jobs}
    while jobs['training'].poll() is None:
        step = max(checkpoint.steps(train_dir), default=0)
        for name, process in jobs.items():
            if process.poll() is None:
                looks[name].append(look(process.pid, step))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return looks


def main() -> int:
    arguments = measure.parse_arguments(__doc__, steps=5000)
    with tempfile.TemporaryDirectory() as folder:
        records.write_singles(folder, 'train_2', count=400)
        records.write_singles(folder, 'test_0', count=100)
        flags = dict(
            data_dir=folder,
            summary_dir=f'{folder}/run',
            hparams_override='num_prime_capsules=1,verbose=true',
        )
        jobs = {
            'training': testing.start(
                **flags,
                seed=1,
                batch_size=8,
                max_steps=arguments.steps,
                save_step=50,
                summary_step=10,
                keep_checkpoints=5,
            ),
            'validation': testing.start(**flags, train='false', eval_interval_secs=0),
        }
        with concurrent.futures.ThreadPoolExecutor() as pool:
            # A pipe that nobody reads would stop the jobs.
            ends = {name: pool.submit(process.communicate) for name, process in jobs.items()}
            looks = watch(jobs, f'{folder}/run/train')
        evaluated = len(pathlib.Path(folder, 'run/test/results.jsonl').read_text().splitlines())
    status = 0
    for name, process in jobs.items():
        if process.returncode:
            print(f'{name}: {process.returncode}: {ends[name].result()[1]}', file=sys.stderr)
            return 1
        result = growth(looks[name])
        if name == 'validation':
            result['evaluations'] = evaluated
        measure.report(name, result, arguments.json)
        status |= not result['passed']
    return status


if __name__ == '__main__':
    sys.exit(main())
