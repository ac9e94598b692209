"""The examples run, and the README shows lines of one that does."""

import pathlib
import re
import subprocess
import sys
import textwrap

import nbclient
import nbformat
import pytest

pytestmark = pytest.mark.slow

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parent


def test_own_model_learns_in_an_epoch():
    ended = subprocess.run(
        [sys.executable, '-m', 'examples.own_model', '--epochs=1'],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    error = re.search(r'^Test error on 1000 digits: (.*) %$', ended.stdout, re.MULTILINE)
    assert float(error[1]) < 30, ended.stdout  # of chance's 90; 16 where this was written


def test_the_readme_shows_the_model_that_is_trained():
    blocks = re.findall(r'^```python\n(.*?)^```$', (ROOT / 'README.md').read_text(), re.S | re.M)
    [block] = (block for block in blocks if 'model.fit' in block)
    assert textwrap.indent(block, '    ') in (FOLDER / 'own_model.py').read_text()


def count_pictures(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get('outputs', ())]
    return sum('image/png' in output.get('data', ()) for output in outputs)


def test_the_notebook_runs_and_keeps_its_pictures(monkeypatch):
    path = FOLDER / 'capsules.ipynb'
    assert path.stat().st_size < 300_000
    notebook = nbformat.read(path, as_version=4)
    kept = count_pictures(notebook)
    [training] = (cell for cell in notebook.cells if 'epochs=10' in cell.source)
    training.source = training.source.replace('epochs=10', 'epochs=1')
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    place = {'metadata': {'path': str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    assert count_pictures(notebook) == kept == 4
