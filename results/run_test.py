"""One short run through the whole runner: killed, gone on with, and equal to one left alone."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from input_data.mnist import testing as mnist_testing
from jobs.run import Run
from results import run, runs, table

STEPS = 200
LIST = """
[data.digits]
holds = "{data}/train-images-idx3-ubyte"
made_by = []

[[run]]
name = "short/one"
table = "Short"
row = "a row"
data = "digits"
flags.dataset = "shifted_mnist"
flags.data_dir = "{data}"
flags.batch_size = "8"
flags.save_step = "20"
flags.hparams_override = "num_prime_capsules=2,remake=false"
steps = {steps}
seed = 3
seconds = 0.1
"""


@pytest.fixture
def short_list(tmp_path) -> pathlib.Path:
    data = tmp_path / 'digits'
    data.mkdir()
    mnist_testing.write_raw(str(data), {'train': 60, 'test': 20}, size=(20, 20))
    path = tmp_path / 'runs.toml'
    path.write_text(LIST.format(data=data, steps=STEPS))
    return path


def start(path: pathlib.Path, folder: pathlib.Path) -> subprocess.Popen:
    program = (
        'import pathlib, sys; from results.run import main; '
        'main(sys.argv[2:], pathlib.Path(sys.argv[1]))'
    )
    arguments = [f'--runs={folder}', f'--measured={folder}/measured']
    return subprocess.Popen(
        [sys.executable, '-c', program, str(path), *arguments], start_new_session=True, cwd=run.ROOT
    )


def read_variables(folder: pathlib.Path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(
        str(folder / 'short' / 'one' / 'train' / f'model.ckpt-{STEPS}')
    )
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.slow
def test_a_killed_run_goes_on_and_equals_one_left_alone(short_list, tmp_path):
    killed, alone = tmp_path / 'killed', tmp_path / 'alone'
    process = start(short_list, killed)
    while not list(killed.glob('short/one/train/model.ckpt-[1-9]?.index')):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / 'measured').exists()
    for folder in (killed, alone):
        assert start(short_list, folder).wait() == 0
    expected = read_variables(alone)
    found = read_variables(killed)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    results = [
        json.loads((f / 'measured' / 'short' / 'one.json').read_text()) for f in (killed, alone)
    ]
    for result in results:
        assert (result['steps'], result['seed'], result['examples']) == (STEPS, 3, 20)
        assert result['error'] == 100 * result['wrong'] / 20
        # Scalars of every tenth step, fewer than are kept: training error in percent.
        assert [step for step, _ in result['curve']] == [*range(10, STEPS + 1, 10)]
        assert all(0 <= error <= 100 for _, error in result['curve'])
    assert results[0]['wrong'] == results[1]['wrong']


def test_a_training_with_other_flags_is_not_taken_over(short_list, tmp_path):
    [one], _ = runs.read_runs(short_list)
    place = Run(str(tmp_path / 'run'))
    flags = {**one.flags, 'max_steps': STEPS, 'seed': 3, 'data_dir': 'elsewhere'}
    config = {'job': 'train', 'flags': flags, 'hparams': {}, 'seed': 3, 'data': {}}
    run.check_flags(one, place)
    place.write_config(config)
    run.check_flags(one, place)
    place.write_config({**config, 'flags': {**flags, 'seed': 4}})
    with pytest.raises(UserError, match='found a training with --seed=4; expected --seed=3'):
        run.check_flags(one, place)


def test_a_run_that_cannot_be_measured_does_not_keep_the_others_waiting(
    short_list, tmp_path, monkeypatch
):
    text, asked = short_list.read_text(), []
    other = text[text.index('[[run]]') :].replace('short/one', 'short/two')
    short_list.write_text(text + other)

    def refuse(one, *_):
        asked.append(one.name)
        raise UserError('no data')

    monkeypatch.setattr(run, 'measure_run', refuse)
    with pytest.raises(UserError, match='short/one, short/two: not measured'):
        run.main([f'--runs={tmp_path}', f'--measured={tmp_path}'], short_list)
    assert asked == ['short/one', 'short/two']


def test_every_listed_run_has_its_data_and_a_name_of_its_own(tmp_path):
    listed, data = runs.read_runs()
    assert len({one.name for one in listed}) == len(listed)
    assert {one.data for one in listed} <= data.keys()
    path = tmp_path / 'runs.toml'
    text = runs.RUNS.read_text()
    path.write_text(text + text[text.index('[[run]]') :])
    with pytest.raises(UserError, match='mnist/r3_recon twice'):
        runs.read_runs(path)


def test_rows_average_over_seeds():
    [one, *_], _ = runs.read_runs()
    row = table.Row('', [one], [{'error': 0.4}, {'error': 0.5}, {'error': 0.6}])
    assert row.ours == '0.50 ± 0.10 (3 seeds)'
    curve = [[step, 10.0] for step in range(18)] + [[18, 0.2], [19, 0.4]]
    assert table.Row('', [one], [{'curve': curve}, {'curve': curve[-1:]}]).training == '0.33'
    an_hour = dataclasses.replace(one, steps=9000, seconds=0.4)
    assert table.Row('', [an_hour], []).ours == 'not run (1.0 h)'
    assert table.Row('', [one], []).training == ''


def test_the_page_is_what_the_measurements_make():
    assert (runs.FOLDER / table.PAGE).read_text('utf-8') == table.make_page()
