"""The commands of README.md and docs/: every flag is one that there is, and the quick ones run."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

import experiment  # noqa: F401 (defines the flags)
from input_data.mnist import testing as mnist_testing

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs').glob('*.md')),
    *ROOT.glob('pretrained/*/README.md'),
]
STEPS = re.compile(r'--max_steps=\d+')


def read_blocks(page: pathlib.Path) -> list[str]:
    """The fenced blocks of a page."""
    return re.findall(r'^```\n(.*?)^```$', page.read_text('utf-8'), re.DOTALL | re.MULTILINE)


def commands(page: pathlib.Path) -> list[str]:
    return [
        line.strip()
        for block in read_blocks(page)
        for line in block.splitlines()
        if re.match(r'\s*(python|make) ', line)
    ]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_programs_modules_targets_and_flags_exist(page):
    targets = re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
    for command in commands(page):
        program, *arguments = shlex.split(command.replace('$K', '0'), comments=True)
        if program == 'make':
            assert arguments[0] in targets, command
        elif arguments[0] == '-m':
            module = ROOT / arguments[1].replace('.', '/')
            assert module.with_suffix('.py').exists() or (module / '__main__.py').exists(), command
        else:
            assert (ROOT / arguments[0]).exists(), command
        if arguments[0] == 'experiment.py':
            with flagsaver.flagsaver():
                assert flags.FLAGS(arguments)[1:] == [], command
    assert page.name == 'design.md' or commands(page)


@pytest.mark.slow
def test_the_readme_from_training_to_export_runs_as_it_stands(tmp_path):
    data = tmp_path / 'data' / 'mnist_data'
    data.mkdir(parents=True)
    mnist_testing.write_raw(str(data), {'train': 60, 'test': 20}, size=(28, 28))
    for split, shift in (('train', 2), ('test', 0)):
        run(
            f'python input_data/mnist/mnist_shift.py --data_dir={data} --split={split} '
            f'--shift={shift}',
            tmp_path,
        )
    wanted = [
        command
        for command in commands(ROOT / 'README.md')
        if '/attempt0' in command or '/attempt1' in command or '=pretrained/' in command
    ]
    assert len(wanted) >= 7
    for command in wanted:
        run(STEPS.sub('--max_steps=2', command), tmp_path)
    run_folder = tmp_path / 'runs' / 'attempt0'
    assert (run_folder / 'test' / 'report.html').exists()
    assert (tmp_path / 'runs' / 'pretrained' / 'test' / 'report.html').exists()
    assert (run_folder / 'test' / 'figures' / 'predict-digit.png').exists()
    assert (tmp_path / 'runs' / 'saved' / 'saved_model.pb').exists()


def run(command: str, home: pathlib.Path) -> None:
    """Runs a command in the project's folder as a shell would, with data and runs below `home`."""
    places = {'DATA_DIR': f'{home}/data', 'RUNS': f'{home}/runs', 'CKPT_DIR': f'{home}/checkpoints'}
    path = f'{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    ended = subprocess.run(
        ['bash', '-c', command],
        cwd=ROOT,
        env={**os.environ, **places, 'PATH': path},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f'{command}\n{ended.stdout}\n{ended.stderr}'
