"""Where the time of a training step goes, by TensorFlow's operation.

One operation runs at a time, on all cores, so that their times add up to the step's. What XLA
computes goes by XLA's names.
"""

import collections
import glob
import re
import tempfile

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import measure, networks

# NAME:KIND of TensorFlow's, not what is around them; of XLA's, products and fused operations.
OPERATION = re.compile(r'[^: ]+:\w+|(MatMul|dot)[_.\d]*|\w+_fusion[.\d]*')
EXECUTOR = 'tf_Compute'  # threads that start operations; others are parts of them


def main() -> None:
    arguments = measure.parse_arguments(__doc__, network='mnist', batch_size=128, steps=3, top=20)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    batch = networks.random_batch(networks.NETWORKS[arguments.network][-1], arguments.batch_size)
    step = tf.function(networks.build(arguments.network).train_step)
    for _ in range(3):
        step(batch).losses.total.numpy()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(arguments.steps):
                step(batch).losses.total.numpy()
        [path] = glob.glob(f'{folder}/**/*.xplane.pb', recursive=True)
        with open(path, 'rb') as file:
            space = xplane_pb2.XSpace.FromString(file.read())
    milliseconds: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if OPERATION.fullmatch(name) and line.name.startswith(EXECUTOR):
                    milliseconds[name] += event.duration_ps / 1e9 / arguments.steps
    for name, value in milliseconds.most_common(arguments.top):
        measure.report(name, {'milliseconds': value}, arguments.json)


if __name__ == '__main__':
    main()
