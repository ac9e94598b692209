"""Downloads and archives: what arrives, and what is refused. No network but this machine's own."""

import contextlib
import gzip
import http.server
import io
import os
import pathlib
import socket
import tarfile
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest, parameterized

from input_data.download import fetch
from input_data.errors import DataError


@contextlib.contextmanager
def serving(folder: str, cut: int = 0):
    """The address of a server of the files of a folder, which may leave out the last bytes."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def copyfile(self, source, outputfile):
            content = source.read()
            with contextlib.suppress(ConnectionError):  # whoever fetches it may be killed
                outputfile.write(content[: len(content) - cut])

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def trickling(pieces: list[bytes], seconds: float):
    """The address of a server that sends its answer piece by piece, waiting after each."""
    with socket.create_server(('127.0.0.1', 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1000)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(seconds)
                if not pieces:
                    connection.recv(1000)  # which comes when the other side has given up

        threading.Thread(target=answer, daemon=True).start()
        yield f'http://127.0.0.1:{server.getsockname()[1]}/file'


class TransferTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.enter_context(mock.patch.dict(os.environ, {'no_proxy': '*'}))

    def tar(self, *members: tarfile.TarInfo, content: bytes = b'content') -> str:
        path = self.folder / 'some.tar.gz'
        with tarfile.open(path, 'w:gz') as archive:
            for member in members:
                member.size = len(content) if member.isreg() else 0
                archive.addfile(member, io.BytesIO(content))
        return str(path)

    def test_downloads(self):
        content = os.urandom(700_000)
        (self.folder / 'there').write_bytes(content)
        with serving(str(self.folder)) as address:
            fetch.download(f'{address}/there', str(self.folder / 'here'))
            with self.assertRaisesRegex(DataError, f'{address}/gone: .*404'):
                fetch.download(f'{address}/gone', str(self.folder / 'other'))
        self.assertCountEqual(os.listdir(self.folder), ['there', 'here'])
        self.assertEqual((self.folder / 'here').read_bytes(), content)

    def test_answer_cut_short(self):
        (self.folder / 'there').write_bytes(bytes(1000))
        with (
            serving(str(self.folder), cut=1) as address,
            self.assertRaisesRegex(DataError, 'there: .*999 bytes read, 1 more expected'),
        ):
            fetch.download(f'{address}/there', str(self.folder / 'here'))

    def test_refused_connection(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            port = server.getsockname()[1]
        with self.assertRaisesRegex(DataError, f'127.0.0.1:{port}/x: .*refused'):
            fetch.download(f'http://127.0.0.1:{port}/x', str(self.folder / 'here'))

    @parameterized.parameters(
        ([], 'found 0 bytes within 0.4 s; expected 65536 or more'),
        ([b'HTTP/1.0 200 OK\r\n'] + [b'X-Y: z\r\n'] * 30, 'found 0 bytes within 0.4 s'),
        (
            [b'HTTP/1.0 200 OK\r\nContent-Length: 90000\r\n\r\n' + bytes(66_000)] + [b'a'] * 30,
            r'found \d+ bytes within 0.4 s',
        ),
    )
    def test_crawling_answer_is_given_up(self, pieces, message):
        self.enter_context(mock.patch.object(fetch, 'STALL_SECONDS', 0.4))
        self.enter_context(mock.patch.object(fetch, 'OPEN_SECONDS', 60))
        with trickling(pieces, 0.1) as address:
            started = time.monotonic()
            with self.assertRaisesRegex(DataError, f'^{address}: {message}'):
                fetch.download(address, str(self.folder / 'here'))
            self.assertBetween(time.monotonic() - started, 0.4, 3)
        self.assertEmpty(os.listdir(self.folder))

    def test_slow_but_steady_answer_is_waited_for(self):
        self.enter_context(mock.patch.object(fetch, 'STALL_SECONDS', 1))
        start = b'HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n'
        with trickling([start] + [bytes(50_000)] * 20, 0.1) as address:
            fetch.download(address, str(self.folder / 'here'))
        self.assertEqual((self.folder / 'here').read_bytes(), bytes(1_000_000))

    def test_too_much(self):
        self.enter_context(mock.patch.object(fetch, 'MAX_BYTES', 1000))
        (self.folder / 'there').write_bytes(bytes(1001))
        (self.folder / 'packed.gz').write_bytes(gzip.compress(bytes(1001)))
        here = str(self.folder / 'here')
        with (
            serving(str(self.folder)) as address,
            self.assertRaisesRegex(DataError, f'{address}/there: found more than 1000 bytes'),
        ):
            fetch.download(f'{address}/there', here, most_bytes=1000)
        with self.assertRaisesRegex(DataError, 'packed.gz: found more than 1000 bytes'):
            fetch.gunzip(str(self.folder / 'packed.gz'), here)
        archive = self.tar(tarfile.TarInfo('in/file'), content=bytes(1001))
        with self.assertRaisesRegex(DataError, 'some.tar.gz: found more than 1000 bytes'):
            fetch.unpack(archive, lambda member: member.name, str(self.folder), 1000)

    def test_unpacks_named_members_only(self):
        inside = self.folder / 'inside'
        inside.mkdir()
        names = ('in/one', './in/two', 'in/three', '../evil', f'{self.folder}/evil')
        archive = self.tar(*map(tarfile.TarInfo, names))
        fetch.unpack_named(archive, 'in', ['two', 'one'], str(inside))
        self.assertCountEqual(os.listdir(inside), ['one', 'two'])
        self.assertEqual((inside / 'two').read_bytes(), b'content')
        self.assertCountEqual(os.listdir(self.folder), ['inside', 'some.tar.gz'])

    @parameterized.parameters(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
    def test_refuses_all_but_regular_files(self, kind):
        member = tarfile.TarInfo('in/file')
        member.type, member.linkname = kind, '/etc/passwd'
        with self.assertRaisesRegex(DataError, 'in/file to be no regular file'):
            fetch.unpack_named(self.tar(member), 'in', ['file'], str(self.folder))
        self.assertEqual(os.listdir(self.folder), ['some.tar.gz'])

    def test_missing_member_and_damaged_archives(self):
        archive = self.tar(tarfile.TarInfo('in/file'), content=os.urandom(5000))
        with self.assertRaisesRegex(DataError, 'some.tar.gz: found no in/other'):
            fetch.unpack_named(archive, 'in', ['file', 'other'], str(self.folder))
        whole = pathlib.Path(archive).read_bytes()
        for damaged in (whole[:2000], b'<html>no</html>', b''):
            pathlib.Path(archive).write_bytes(damaged)
            with self.assertRaisesRegex(DataError, 'some.tar.gz: found'):
                fetch.unpack_named(archive, 'in', ['file'], str(self.folder))

    def test_gunzip(self):
        packed = self.folder / 'file.gz'
        whole = gzip.compress(b'content')
        packed.write_bytes(whole)
        fetch.gunzip(str(packed), str(self.folder / 'file'))
        self.assertEqual((self.folder / 'file').read_bytes(), b'content')
        for damaged in (whole[:-3], b'<html>no</html>', whole[:10] + b'\xff' * 20):
            packed.write_bytes(damaged)
            with self.assertRaisesRegex(DataError, 'file.gz: found damaged'):
                fetch.gunzip(str(packed), str(self.folder / 'file'))


if __name__ == '__main__':
    absltest.main()
