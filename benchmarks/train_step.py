"""Seconds of a training step over the direct-convolution floor, and over direct convolution."""

import tensorflow as tf

from benchmarks import measure, networks
from jobs import devices


def main() -> None:
    arguments = measure.parse_arguments(__doc__, network='mnist', batch_size=128, rounds=9)
    batch = networks.random_batch(networks.NETWORKS[arguments.network][-1], arguments.batch_size)

    def stepper(overrides: str):
        model = networks.build(arguments.network, overrides)
        step = tf.function(model.train_step)
        return model, lambda: step(batch).losses.total.numpy()

    model, ours = stepper('conv_method=auto')
    times = measure.seconds([ours, networks.sgemm()], arguments.rounds)
    memory = devices.peak_memory() / 1e9
    floor_flop = networks.direct_convolution_flop(model, arguments.batch_size)
    floor = floor_flop / networks.sgemm_peak(times[1])
    _, direct = stepper('conv_method=direct')
    ours_again, direct_time = measure.seconds([ours, direct], max(3, arguments.rounds // 3))
    result = {
        'network': arguments.network,
        'batch_size': arguments.batch_size,
        'seconds': times[0],
        'floor_gflop': floor_flop / 1e9,
        'sgemm_gflop_per_second': networks.sgemm_peak(times[1]) / 1e9,
        'ratio_to_floor': times[0] / floor,
        'direct_over_ours': direct_time / ours_again,
        'peak_memory_gb': memory,
    }
    measure.report('train_step', result, arguments.json)


if __name__ == '__main__':
    main()
