"""The release's archives, from a server of this machine: what is unpacked and what is refused."""

import contextlib
import io
import os
import pathlib
import tarfile
import tempfile
from unittest import mock

import pooch
from absl.testing import absltest, parameterized

from input_data.download import __main__ as download
from input_data.download import released
from input_data.download.fetch_test import serving

_CONTENTS = {
    'cifar/cifar0/checkpoint': b'state',
    'cifar/cifar0/model.ckpt-600000.index': b'names',
    'cifar/cifar0/model.ckpt-600000.data-00000-of-00001': bytes(5000),
    './mnist_data/train_2shifted_mnist.tfrecords': b'records',
    'mnist_data/multitest_6shifted_mnist.tfrecords-00000-of-00010': b'shard',
}
_PATHS = [os.path.normpath(name) for name in _CONTENTS]


class ReleasedTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.origin = folder / 'origin'
        self.origin.mkdir()
        self.data_dir = folder / 'data'
        self.enter_context(mock.patch.dict(os.environ, {'no_proxy': '*'}))
        address = self.enter_context(serving(str(self.origin)))
        self.address = f'{address}/mnist_data.tar.gz'
        archives = {'released_mnist': self.address}
        self.enter_context(mock.patch.object(released, 'ARCHIVES', archives))

    def put_archive(self, contents: dict[str, bytes], *others: tarfile.TarInfo) -> pathlib.Path:
        path = self.origin / 'mnist_data.tar.gz'
        with tarfile.open(path, 'w:gz') as archive:
            for member in others:
                archive.addfile(member)
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    def run_program(self) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = download.run(['--dataset=released_mnist', f'--data_dir={self.data_dir}'])
        return status, output.getvalue(), errors.getvalue()

    def found(self) -> list[str]:
        paths = [path for path in self.data_dir.rglob('*') if not path.is_dir()]
        return [str(path.relative_to(self.data_dir)) for path in paths]

    def assert_refused(self, message: str) -> None:
        status, _, errors = self.run_program()
        self.assertEqual(status, 1)
        self.assertRegex(errors, f'^download: .*{message}.*\n$')

    def test_fetches_and_says_what_could_not_be_compared(self):
        archive = self.put_archive(_CONTENTS)
        status, output, errors = self.run_program()
        self.assertEqual((status, errors), (0, ''))
        digest = pooch.file_hash(str(archive))
        self.assertIn(f'SHA-256 {digest}; no known one to compare it with', output)
        self.assertCountEqual(self.found(), _PATHS)
        for name, content in _CONTENTS.items():
            self.assertEqual((self.data_dir / name).read_bytes(), content)
            self.assertIn(f'{self.data_dir}/{os.path.normpath(name)}\n', output)
        self.assertEndsWith(
            self.run_program()[1], f'{self.data_dir}: all files are there and right\n'
        )

    def test_other_files_are_not_overwritten(self):
        self.put_archive(_CONTENTS)
        (self.data_dir / 'cifar/cifar0').mkdir(parents=True)
        (self.data_dir / _PATHS[0]).write_bytes(b'mine!')
        self.assert_refused(f'{self.data_dir}/{_PATHS[0]}: found other data .it is not overwritten')
        self.assertEqual(self.found(), _PATHS[:1])
        self.assertEqual((self.data_dir / _PATHS[0]).read_bytes(), b'mine!')

    def test_leaves_out_what_is_no_record_or_checkpoint(self):
        link = tarfile.TarInfo('mnist_data/link.tfrecords')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
        folder = tarfile.TarInfo('mnist_data')
        folder.type = tarfile.DIRTYPE
        strange = {
            '../x.tfrecords': b'',
            '/x.tfrecords': b'',
            'mnist_data/../../checkpoint': b'',
            'mnist_data/run\x1b.sh': b'',
        }
        self.put_archive({**strange, **_CONTENTS}, link, folder)
        status, output, _ = self.run_program()
        self.assertEqual(status, 0)
        self.assertCountEqual(self.found(), _PATHS)
        self.assertEqual(output.count('is left out'), len(strange) + 1)
        self.assertNotIn('\x1b', output)

    @parameterized.parameters(
        ('MOST_PACKED_BYTES', 'mnist_data.tar.gz: found more than 99 bytes'),
        ('MOST_UNPACKED_BYTES', 'mnist_data.tar.gz: found more than 99 bytes'),
    )
    def test_too_much(self, name, message):
        self.put_archive(_CONTENTS)
        self.enter_context(mock.patch.object(released, name, 99))
        self.assert_refused(message)
        self.assertEqual(self.found(), [])

    def test_wrong_archives(self):
        self.assert_refused('mnist_data.tar.gz: 404 Client Error')
        self.put_archive({'readme': b'x'})
        self.assert_refused(r'mnist_data.tar.gz: found no file of the forms \*.tfrecords')
        (self.origin / 'mnist_data.tar.gz').write_bytes(b'<html>please log in</html>')
        self.assert_refused('mnist_data.tar.gz: found a damaged archive')
        self.assertEqual(self.found(), [])


if __name__ == '__main__':
    absltest.main()
