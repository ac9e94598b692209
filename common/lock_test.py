"""A folder has one writer, and none any more when that is killed."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from common import lock
from common.errors import UserError

HOLDING = """
import sys, time
from common import lock
with lock.hold_folder('--output_dir', sys.argv[1]):
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLDING, tmp_path],
        cwd=pathlib.Path(__file__).parents[1],
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b'held\n'
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def hold(folder, act=lambda: None):
    with lock.hold_folder(f'--output_dir={folder}', folder):
        act()


def test_the_second_writer_is_told_of_the_first(holder, tmp_path):
    found = rf'^--output_dir={tmp_path}: found -c \(process {holder.pid} on .+\) writing there'
    with pytest.raises(UserError, match=rf'{found} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\S*; exp'):
        hold(tmp_path, pytest.fail)
    for damaged in ('', '[]', '{"program": 1}'):
        (tmp_path / lock.HOLDER).write_text(damaged)
        with pytest.raises(UserError, match='found another process writing there; expected no'):
            hold(tmp_path, pytest.fail)


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT])
def test_an_ended_writer_holds_nothing(holder, tmp_path, number):
    holder.send_signal(number)
    holder.wait()
    (tmp_path / 'mine').touch()
    for _ in range(2):
        hold(tmp_path)
    assert os.listdir(tmp_path) == ['mine']


def test_a_folder_that_was_not_there_stays_only_with_content(tmp_path):
    folder = tmp_path / 'below' / 'new'
    hold(folder)
    assert not os.listdir(tmp_path)
    hold(folder, (folder / 'mine').touch)
    assert os.listdir(folder) == ['mine']


def test_a_reader_sees_whether_a_writer_lives(holder, tmp_path):
    assert lock.is_held(tmp_path)
    assert not lock.is_held(tmp_path / 'below')
    holder.kill()
    holder.wait()
    assert os.path.exists(tmp_path / lock.HOLDER)
    assert not lock.is_held(tmp_path)


def test_a_writer_elsewhere_lives_while_it_shows_it(tmp_path):
    path = tmp_path / lock.HOLDER
    path.write_text('{"host": "another machine"}')
    assert lock.is_held(tmp_path)
    os.utime(path, (0, path.stat().st_mtime - lock.SILENCE_SECONDS - 1))
    assert not lock.is_held(tmp_path)
    lock.show_life(tmp_path)
    assert lock.is_held(tmp_path)
    lock.show_life(tmp_path / 'below')
