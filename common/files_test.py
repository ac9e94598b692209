"""Files appear whole or not at all, whatever stops the process that writes them."""

import errno
import os
import pathlib
import signal
import socket
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest

from common import files
from common.errors import UserError

HOST = socket.gethostname()
# Starts one file and one folder, says so, and is killed.
KILLED = """
import os, signal, sys
from common import files
with files.replacing(sys.argv[1]) as [path], files.temporary_folder(sys.argv[2]) as folder:
    path.write_text('half')
    (folder / 'half').touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'first').write_text('old')
    return tmp_path


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def write_new(*paths, then=lambda: None):
    with files.replacing(*paths) as temporary:
        for path in temporary:
            assert path.name.startswith('.')
            with open(path, 'a') as file:
                file.write('new')
        then()


def interrupt():
    raise KeyboardInterrupt


def test_all_or_nothing(folder):
    paths = folder / 'first', folder / 'below' / 'second'
    # Of an earlier process of the same number, and longer.
    left = folder / f'.first.{HOST}-{os.getpid()}.partial'
    for then, expected in ((interrupt, 'old'), (lambda: None, 'new')):
        left.write_text('left by a killed run')
        try:
            write_new(*paths, then=then)
        except KeyboardInterrupt:
            assert not list(paths[1].parent.iterdir())
        paths[1].parent.rename(folder.parent / expected)
        assert contents(folder) == {'first': expected}
    assert contents(folder.parent / 'new') == {'second': 'new'}


def test_ctrl_c_waits_until_all_are_replaced(folder):
    paths = [folder / name for name in ('first', 'second', 'third')]
    replace = os.replace

    def interrupted_replace(source, target):
        signal.raise_signal(signal.SIGINT)
        replace(source, target)

    with mock.patch.object(os, 'replace', interrupted_replace), pytest.raises(KeyboardInterrupt):
        write_new(*paths)
    assert contents(folder) == dict.fromkeys(('first', 'second', 'third'), 'new')
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_names_the_file_that_was_wanted(folder):
    target = folder / 'first'
    for named in (lambda path: [], lambda path: [str(path)]):
        with pytest.raises(OSError) as caught, files.replacing(target) as [temporary]:
            raise OSError(errno.ENOSPC, 'full', *named(temporary))
        assert caught.value.filename == str(target)
    (folder / 'directory').mkdir()
    with pytest.raises(IsADirectoryError, match='directory'):
        write_new(folder / 'directory')
    assert (folder / 'first').read_text() == 'old'


def test_what_a_killed_process_left_goes_with_the_next_writer(folder):
    command = [sys.executable, '-c', KILLED, folder / 'first', folder / 'saved']
    root = pathlib.Path(__file__).parents[1]
    assert subprocess.run(command, cwd=root).returncode == -signal.SIGKILL
    assert len(list(folder.glob('.*.partial'))) == 2
    write_new(folder / 'second')
    assert contents(folder) == {'first': 'old', 'second': 'new'}


def test_only_our_names_of_dead_processes_of_this_host_are_abandoned(folder):
    names = (
        'notes.20240101.tmp',
        'notes.999999999.partial',
        f'.notes.{HOST}-999999999.tmp',
        '.notes.partial',
        '.notes.999999999.partial',
        f'.notes.{HOST}-1x.partial',
        '.notes.elsewhere-999999999.partial',
        f'.notes.{HOST}-{os.getppid()}.partial',
    )
    for name in names:
        (folder / name).touch()
    (folder / '20240101.tmp').mkdir()
    files.remove_abandoned(folder)
    left = {path.name for path in folder.iterdir()}
    assert left == {'first', '20240101.tmp', *names}
    files.remove_abandoned(folder / 'nowhere')


def test_check_archive(folder):
    path = folder / 'new' / 'arrays.npz'
    for _ in range(2):
        files.check_archive('--predictions', path, ['labels', 'scores'])
        files.write_arrays(path, {'scores': np.ones(2), 'labels': np.ones(1)})
    for names in (['labels'], ['labels', 'scores', 'more']):
        with pytest.raises(UserError, match='--predictions: found a file of another kind'):
            files.check_archive('--predictions', path, names)


def test_temporary_folder(folder):
    with files.temporary_folder(folder / 'saved') as temporary:
        (temporary / 'model').touch()
        temporary.replace(folder / 'saved')
    assert [path.name for path in (folder / 'saved').iterdir()] == ['model']
    with pytest.raises(KeyboardInterrupt), files.temporary_folder(folder / 'other') as temporary:
        (temporary / 'model').touch()
        interrupt()
    assert not list(folder.glob('.*')) and not (folder / 'other').exists()


def test_an_error_of_a_temporary_folder_names_its_target(folder):
    target = folder / ('n' * 250)  # itself a valid name
    with pytest.raises(OSError) as caught, files.temporary_folder(target):
        pass
    assert caught.value.filename == str(target)
