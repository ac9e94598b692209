"""The real training job: its step over the floor, its time outside the step, its start."""

import pathlib
import subprocess
import sys
import tempfile
import time
from unittest import mock

import tensorflow as tf

from benchmarks import measure, networks
from input_data import testing
from jobs import devices
from jobs.options import RunOptions
from jobs.training import function, train

WARM_UP = 10  # steps not counted: the first ones trace, allocate and fill buffers
FIRST_STEP = 'step 1/1:'  # how the job's first line of progress begins
PROGRAM = pathlib.Path(__file__).parents[1] / 'experiment.py'


def seconds_to_first_step(data_dir: str, batch_size: int) -> float:
    """From the start of the process to the report of its first step."""
    with tempfile.TemporaryDirectory() as summary_dir:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, PROGRAM, f'--data_dir={data_dir}', f'--summary_dir={summary_dir}']
            + ['--max_steps=1', '--summary_step=1', f'--batch_size={batch_size}'],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            for line in process.stdout:
                if line.startswith(FIRST_STEP):
                    return time.perf_counter() - start
    raise RuntimeError(f'the job ended with status {process.returncode} before its first step')


def timed_job(options: RunOptions) -> list[tuple[float, float]]:
    """Start and end of every call of the training function in a job."""
    times = []
    make_advance = function.make_advance

    def make_timed(*args):
        advance = make_advance(*args)

        def timed(iterator, steps):
            start = time.perf_counter()
            result = advance(iterator, steps)
            result.sums.numpy()
            times.append((start, time.perf_counter()))
            return result

        return timed

    with mock.patch.object(function, 'make_advance', make_timed):
        train.run(options)
    return times


def main() -> None:
    arguments = measure.parse_arguments(__doc__, batch_size=128, steps=60)
    with tempfile.TemporaryDirectory() as directory:
        testing.write_singles(directory, 'train_2', count=6000, size=28)
        start = seconds_to_first_step(directory, arguments.batch_size)
        options = RunOptions(
            data_dir=directory,
            summary_dir=f'{directory}/run',
            max_steps=WARM_UP + arguments.steps,
            batch_size=arguments.batch_size,
            seed=0,
        )
        times = timed_job(options)[WARM_UP:]
    memory = devices.peak_memory() / 1e9
    whole = times[-1][1] - times[0][0]
    inside = sum(end - begin for begin, end in times)

    model = networks.build('mnist')
    batch = networks.random_batch(model.info, arguments.batch_size)
    step = tf.function(model.train_step)
    bare, sgemm = measure.seconds([lambda: step(batch).losses.total.numpy(), networks.sgemm()], 15)
    flop = networks.direct_convolution_flop(model, arguments.batch_size)
    floor = flop / networks.sgemm_peak(sgemm)
    result = {
        'seconds_per_step': whole / len(times),
        'ratio_to_floor': whole / len(times) / floor,
        'outside_step_percent': 100 * (1 - inside / whole),
        'bare_step_seconds': bare,
        'start_to_first_step_seconds': start,
        'peak_memory_gb': memory,
    }
    measure.report('job', result, arguments.json)


if __name__ == '__main__':
    main()
