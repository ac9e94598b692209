"""Examples a second that mnist_shift.py writes, single digits and pairs."""

import contextlib
import io
import tempfile
import time

from benchmarks import measure
from input_data.mnist import mnist_shift, testing

DIGITS = 6000
SHIFT = 2
PAIRS_EACH = 10  # overlapping digits for each


def rate(arguments: list[str], examples: int) -> float:
    """Examples a second of a run that makes so many."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        if mnist_shift.run(arguments):
            raise RuntimeError(f'mnist_shift.py {" ".join(arguments)} failed')
    return examples / (time.perf_counter() - start)


def main() -> None:
    arguments = measure.parse_arguments(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        testing.write_raw(directory, {'train': DIGITS}, size=(28, 28))
        common = [f'--data_dir={directory}', '--split=train', f'--shift={SHIFT}']
        result = {
            'singles_per_second': rate(common, DIGITS * (2 * SHIFT + 1) ** 2),
            'pairs_per_second': rate(
                [*common, '--multi_targets', f'--num_pairs={PAIRS_EACH}'], DIGITS * PAIRS_EACH
            ),
        }
    measure.report('making_records', result, arguments.json)


if __name__ == '__main__':
    main()
