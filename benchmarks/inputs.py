"""Examples a second that input pipelines deliver, from tiny files made for the purpose."""

import tempfile
import time

import numpy as np

import input_data
from benchmarks import measure
from input_data import Batching, InputRequest, testing
from input_data.image_folder.testing import write_class
from input_data.mnist import raw

BATCHES = 300


def rate(name: str, request: InputRequest) -> float:
    """Examples a second of a training pipeline, after its start."""
    dataset, _ = input_data.inputs(name, request)
    iterator = iter(dataset)
    for _ in range(20):
        next(iterator)
    start = time.perf_counter()
    for _ in range(BATCHES):
        next(iterator)
    return BATCHES * request.batching.batch_size / (time.perf_counter() - start)


def main() -> None:
    arguments = measure.parse_arguments(__doc__, batch_size=128)
    batching = Batching(arguments.batch_size, seed=1)
    with tempfile.TemporaryDirectory() as directory:
        images, labels = testing.digit_images(6000, 28)
        for part in ('train', 't10k'):
            raw.write_idx(f'{directory}/{part}-images-idx3-ubyte', images)
            raw.write_idx(f'{directory}/{part}-labels-idx1-ubyte', labels)
        testing.write_singles(directory, 'train_2', count=6000, size=28)
        rng = np.random.default_rng(0)
        for number in range(1, 6):
            rows = rng.integers(0, 256, (2000, 3073)).astype(np.uint8)
            rows[:, 0] %= 10
            rows.tofile(f'{directory}/data_batch_{number}.bin')
        pictures = f'{directory}/pictures'
        for name in 'ab':
            write_class(f'{pictures}/{name}', 1000, (32, 32, 3))
        for name, num_targets in (
            ('mnist', 1),
            ('shifted_mnist', 1),
            ('multi_mnist', 2),
            ('cifar10', 1),
            ('image_folder', 1),
        ):
            folder = pictures if name == 'image_folder' else directory
            request = InputRequest(folder, 'train', num_targets, batching=batching)
            result = {'dataset': name, 'examples_per_second': rate(name, request)}
            measure.report('inputs', result, arguments.json)


if __name__ == '__main__':
    main()
