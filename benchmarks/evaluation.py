"""Images evaluated a second, and over direct convolution in the same run."""

import tensorflow as tf

from benchmarks import measure, networks


def main() -> None:
    arguments = measure.parse_arguments(__doc__, network='mnist', batch_size=100, rounds=9)
    batch = networks.random_batch(networks.NETWORKS[arguments.network][-1], arguments.batch_size)

    def evaluator(overrides: str):
        model = networks.build(arguments.network, overrides)
        step = tf.function(model.eval_step)
        model.refresh()
        return lambda: step(batch).losses.total.numpy()

    ours, direct = measure.seconds(
        [evaluator('conv_method=auto'), evaluator('conv_method=direct')], arguments.rounds
    )
    result = {
        'network': arguments.network,
        'images_per_second': arguments.batch_size / ours,
        'direct_over_ours': direct / ours,
    }
    measure.report('evaluation', result, arguments.json)


if __name__ == '__main__':
    main()
