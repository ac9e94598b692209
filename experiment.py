"""Trains and evaluates capsule networks: reads the flags, runs one job.

python experiment.py --data_dir=DATA --summary_dir=RUN --max_steps=3000
python experiment.py --data_dir=DATA --summary_dir=RUN --train=false
python experiment.py --summary_dir=RUN --predict=digit.png
python experiment.py --summary_dir=RUN --export_dir=SAVED
"""

import functools
import sys

from absl import app, flags

from common import errors
from jobs import startup

FLAGS = flags.FLAGS

# Steps, seeds and sizes beyond it do not fit into the integers that TensorFlow and NumPy take.
integer = functools.partial(flags.DEFINE_integer, upper_bound=2**31 - 1)

# Flags of the release, with its names and defaults.
flags.DEFINE_string('data_dir', None, 'Directory, record file, glob, or prefix@N for N shards.')
integer(
    'eval_size',
    None,
    "Most examples to evaluate; by default the data set's own number, 10000 for MNIST.",
    lower_bound=1,
)
flags.DEFINE_string('hparams_override', None, 'key=value,key=value; see models/hparams.py.')
integer('max_steps', 1000, 'Step to train to, in all.', lower_bound=0)
flags.DEFINE_string('model', 'capsule', 'capsule, baseline or paper_baseline.')
flags.DEFINE_string('dataset', 'mnist', 'Kind of data in data_dir; see input_data/__init__.py.')
integer('num_gpus', 1, 'GPUs of this machine to train on.', lower_bound=1)
integer('num_targets', 1, 'Objects in an image.', lower_bound=1, upper_bound=2)
integer('num_trials', 1, 'Checkpoints of an ensemble.', lower_bound=1)
integer('save_step', 1500, 'Steps between checkpoints.', lower_bound=1)
flags.DEFINE_string('summary_dir', None, 'Directory of the run: train/, test/ and config.json.')
flags.DEFINE_string('checkpoint', None, 'Checkpoint to evaluate, as PATH/model.ckpt-STEP.')
flags.DEFINE_bool('train', True, 'Whether to train; otherwise evaluate.')
flags.DEFINE_bool('validate', False, 'Hold part of the training set out, and evaluate on it.')

# Flags of ours.
integer('batch_size', 128, 'Examples of a training step.', lower_bound=1)
integer('eval_batch_size', 100, 'Examples of an evaluation step.', lower_bound=1)
integer('seed', None, 'Of everything random; drawn if not given.', lower_bound=0)
flags.DEFINE_string('predictions', None, 'File for scores, predictions and labels (.npz).')
flags.DEFINE_bool('figures', False, 'Evaluation draws PNGs in summary_dir/test/figures.')
flags.DEFINE_bool('report', False, 'Evaluation writes summary_dir/test/report.html.')
flags.DEFINE_string('predict', None, 'Image files to look at, as a.png,b.png or a glob.')
flags.DEFINE_bool('json', False, 'Print what --predict finds as JSON.')
flags.DEFINE_string('export_dir', None, 'New directory for a SavedModel of the checkpoint.')
integer('summary_step', 10, 'Steps between scalars.', lower_bound=1)
integer('keep_checkpoints', 1000, 'Newest checkpoints kept; 0: all.', lower_bound=0)
integer('eval_interval_secs', 60, 'Least seconds between evaluations of a training.', lower_bound=0)
integer('eval_timeout_secs', 21600, 'Seconds without a new checkpoint to wait for.', lower_bound=0)
integer(
    'trial', None, 'Number of this run: fills {} in summary_dir, adds to the seed.', lower_bound=0
)
flags.DEFINE_bool('mixed_precision', False, 'Compute in bfloat16; routing and losses in float32.')
integer('gpu_memory_limit_mb', 0, 'Hard limit per GPU; 0: none.', lower_bound=0)
flags.DEFINE_bool('debug', False, "Show tracebacks and all of TensorFlow's messages.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise flags.Error(f'unexpected argument {argv[1]!r}; flags start with --')
    startup.import_tensorflow(show_all=FLAGS.debug)
    from jobs.evaluation import evaluate
    from jobs.options import RunOptions
    from jobs.training import train

    own_flags = FLAGS.flags_by_module_dict()[FLAGS.find_module_defining_flag('data_dir')]
    options = RunOptions(**{flag.name: flag.value for flag in own_flags}).of_trial()
    options.check_companions()
    if options.predict is not None:
        from jobs.inference import predict

        predict.run(options)
    elif options.export_dir is not None:
        from jobs.inference import export

        export.run(options)
    elif options.train:
        train.run(options)
    else:
        evaluate.run(options)


def _parse_flags(argv: list[str]) -> list[str]:
    try:
        return FLAGS(argv)
    except SystemExit:
        sys.exit(0)  # absl leaves with status 1 after --help


def run() -> None:
    """Runs the program; for anything a user can mend, one line on standard error and status 1."""
    try:
        app.run(main, flags_parser=_parse_flags)
    except KeyboardInterrupt:
        sys.exit('experiment: interrupted')
    except Exception as error:
        # The command line too: a flag before --debug may have ended its reading.
        if FLAGS['debug'].value or '--debug' in sys.argv:
            raise
        message = errors.explain_error(error)
        if message is None:
            raise
        sys.exit(f'experiment: {message}')


if __name__ == '__main__':
    run()
