"""Hyper-parameters as text, and the JSON files of a run."""

import dataclasses
import json
import math
import pathlib
import tempfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import UserError
from jobs.evaluation import results
from jobs.inference import trained
from jobs.options import RunOptions
from jobs.run import Run
from models import HParams
from models.checkpoint import CheckpointError
from models.hparams import HParamsError
from robustness.fuzz.limits import only
from robustness.fuzz.mutations import extremes, near

NAMES = [field.name for field in dataclasses.fields(HParams)]
NUMBERS = st.one_of(st.sampled_from(extremes('q')), st.integers(), st.floats()).map(str)
WORDS = st.sampled_from(
    ['true', 'FALSE', '0', '1', 'nan', 'inf', '-inf', '1e400', '1_0', '١', 'SAME', 'margin', 'auto']
)
VALUES = st.one_of(NUMBERS, WORDS, st.text(max_size=9), st.just('9' * 5000))
PAIRS = st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=9)), VALUES)
TEXTS = st.one_of(
    st.lists(PAIRS.map('='.join), max_size=4).map(','.join),
    near(b'routing=3,leaky=true, learning_rate=1e-3').map(lambda text: text.decode('latin-1')),
    st.text(),
)


@given(TEXTS)
@example('decay_steps=' + '9' * 400)
@example('routing=1000000000')
def test_hparams(text):
    with only(HParamsError):
        hparams = HParams.parse(text)
        for name, value in dataclasses.asdict(hparams).items():
            if not isinstance(value, str):
                assert math.isfinite(value) and abs(value) < 1e300, name


@given(
    st.builds(
        HParams,
        decay_rate=st.floats(1e-3, 1),
        decay_steps=st.integers(1, 1 << 20),
        leaky=st.booleans(),
        learning_rate=st.floats(1e-9, 1e9),
        num_prime_capsules=st.integers(1, 256),
        padding=st.sampled_from(['VALID', 'SAME']),
        routing=st.integers(1, 9),
    )
)
def test_hparams_come_back(hparams):
    text = ','.join(f'{name}={value}' for name, value in dataclasses.asdict(hparams).items())
    assert HParams.parse(text) == hparams


DATA = dict(height=28, width=28, depth=1, num_classes=10, num_targets=1, num_examples=9, note='')
DATA['class_names'] = [*'abcdefghij']
FLAGS = dict(model='capsule', dataset='mnist', num_targets=1, image_size=None, max_steps=9)
LATER = dict(versions=dict(tensorflow='2.16.1'), machine=dict(threads=2, onednn='default'))
CONFIG = dict(
    job='train',
    flags=FLAGS,
    hparams=dataclasses.asdict(HParams()),
    seed=3,
    data=DATA,
    **LATER,
)
BEST = dict(
    dataset='mnist',
    split='test',
    step=7,
    checkpoint='model.ckpt-7',
    wrong_percent=1.5,
    num_wrong=3,
    num_examples=200,
)
ODD = [None, True, -1, 1 << 70, 1e400, math.nan, '', 'x', [], {}, [1], {'a': 1}]
JSON = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)
DEEP = b'[' * 100_000


def changed(whole: dict) -> st.SearchStrategy[bytes]:
    """A JSON object with one of its values changed, or one of a value's own."""
    places = [(name,) for name in whole]
    places += [(name, key) for name, value in whole.items() if type(value) is dict for key in value]

    def apply(place, value) -> bytes:
        new = json.loads(json.dumps(whole))
        inner = new
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
        return json.dumps(new).encode()

    return st.builds(apply, st.sampled_from(places), JSON)


def files(whole: dict) -> st.SearchStrategy[bytes]:
    return st.one_of(
        changed(whole),
        near(json.dumps(whole).encode()),
        JSON.map(lambda value: json.dumps(value).encode()),
    )


OLDER = {**CONFIG, 'data': {}, 'versions': {}, 'machine': {}}


@given(files(CONFIG))
@example(DEEP)
@example(json.dumps(OLDER).encode())
@example(b'\xff')
def test_config(content):
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        pathlib.Path(run.config_path).write_bytes(content)
        with only(UserError, naming=folder):
            run.check_resumable(CONFIG)
            assert all(isinstance(line, str) for line in run.list_changes(CONFIG))
            assert 0 <= run.config['seed'] < 1 << 63


@given(changed(CONFIG))
def test_network_of_a_config(content):
    """What a run without a checkpoint to restore makes of its configuration."""
    config = json.loads(content)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        pathlib.Path(run.config_path).write_bytes(content)
        with only(UserError, HParamsError, CheckpointError):
            read = run.config
            assert read is not config
            run.parse_hparams(None)
            info = trained._info(RunOptions(), read['data'], f'{folder}/model.ckpt-1')
            assert 0 < info.height <= 4096 and 0 < info.num_classes <= 4096


@given(files(BEST))
@example(DEEP)
@example(b'"wrong_percent"')
@example(b'{"wrong_percent": NaN, "step": 1}')
def test_best(content):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'results.jsonl')
        path.write_bytes(content)
        with only():
            found = results._read_results(str(path))
            found = [*found, {**BEST, 'wrong_percent': 101}]
            best = min(found, key=lambda one: one['wrong_percent'])
            assert f'{best["wrong_percent"]:g} {best["step"]:d}'


def test_best_comes_back():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'results.jsonl')
        path.write_text(json.dumps(BEST))
        assert results._read_results(str(path)) == [BEST]


def test_config_comes_back():
    with tempfile.TemporaryDirectory() as folder:
        assert Run(folder).config is None
        Run(folder).write_config(CONFIG)
        assert Run(folder).config == CONFIG


@pytest.mark.parametrize('name', ['job', 'flags', 'hparams', 'seed'])
def test_config_without_a_part(name):
    with tempfile.TemporaryDirectory() as folder:
        Run(folder).write_config({key: value for key, value in CONFIG.items() if key != name})
        with pytest.raises(UserError, match=name):
            _ = Run(folder).config
