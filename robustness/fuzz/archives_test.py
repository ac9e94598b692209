"""Archives that came from the network."""

import gzip
import io
import pathlib
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from input_data.download import fetch
from input_data.errors import DataError
from robustness.fuzz.limits import file_of, only
from robustness.fuzz.mutations import compressed, gzip_bomb, near

BLOCK = tarfile.BLOCKSIZE


def tar(*names: str, form: int = tarfile.GNU_FORMAT, **fields) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=form) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 7
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(b'content'))
    return buffer.getvalue()


def header(kind: bytes, size: bytes, rest: bytes = b'') -> bytes:
    """A block that starts a member, with its right checksum."""
    block = b'in/file'.ljust(100, b'\0') + b'0000644\0' + b'0000000\0' * 2 + size.ljust(12, b'\0')
    block += b'0' * 11 + b'\0' + b' ' * 8 + kind
    block = (block.ljust(257, b'\0') + b'ustar  \0' + rest).ljust(BLOCK, b'\0')[:BLOCK]
    return block[:148] + b'%06o\0 ' % sum(block) + block[156:]


def base_256(value: int) -> bytes:
    """A number of a header that needs more than octal digits."""
    return (value % (1 << 96) | (0x80 << 88 if value >= 0 else 0)).to_bytes(12, 'big')


LONG = 'in/' + 'x' * 120
WHOLE = [
    tar('in/file', 'other'),
    tar(LONG, 'in/file'),
    tar('in/file', LONG, form=tarfile.PAX_FORMAT, pax_headers={'comment': 'ä' * 9}),
]
KINDS = [bytes([kind]) for kind in b'0125KLSxgX\0']
SIZES = [0, 7, BLOCK, -1, -BLOCK, -2 * BLOCK, 1 << 33, (1 << 63) - 1, 1 << 63, (1 << 94) - 1]
PAX = [b'20 size=9999999999\n', b'11 path=\n', b'9 a', b'0 a=b\n', b'99999999999 a=b\n']
PAX += [b'25 ctime=1']
HEADERS = st.builds(
    header,
    st.sampled_from(KINDS),
    st.one_of(st.sampled_from(SIZES).map(base_256), st.binary(max_size=12)),
    st.binary(max_size=260),
)
CONTENTS = st.one_of(
    st.sampled_from(PAX).map(lambda record: record.ljust(BLOCK, b'\0')),
    st.binary(max_size=BLOCK).map(lambda content: content.ljust(BLOCK, b'\0')),
)
MEMBERS = st.lists(st.one_of(HEADERS, CONTENTS), max_size=6).map(b''.join)


def unpack(content: bytes) -> None:
    with file_of(content, 'some.tar.gz') as path, only(DataError, naming='some.tar.gz'):
        fetch.unpack_named(path, 'in', ['file'], str(pathlib.Path(path).parent))


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@given(compressed(st.sampled_from(WHOLE).flatmap(near)))
def test_damaged_archives(content):
    unpack(content)


@given(MEMBERS)
@example(header(b'0', base_256(-BLOCK)))
@example(header(b'x', base_256(-2 * BLOCK)))
@example(header(b'S', base_256((1 << 63) - 1)))
@example(header(b'L', b'00000000000') * 2000)
def test_headers_that_lie(content):
    unpack(packed(content))


@given(st.lists(st.sampled_from(['in/file', './in/file', 'in/other', '../in/file']), max_size=4))
def test_members_of_whole_archives(names):
    with file_of(packed(tar(*names)), 'some.tar.gz') as path:
        folder = pathlib.Path(path).parent
        if {'in/file', './in/file'} & set(names):
            fetch.unpack_named(path, 'in', ['file'], str(folder))
            assert (folder / 'file').read_bytes() == b'content'
        else:
            with pytest.raises(DataError, match='found no in/file'):
                fetch.unpack_named(path, 'in', ['file'], str(folder))


@pytest.mark.parametrize('kind', [b'0', b'L', b'x', b'S'])
def test_archives_that_unpack_to_much(kind):
    unpack(gzip_bomb(header(kind, base_256(3 << 30)), 3 << 30))


@given(compressed(near(b'content')))
def test_gunzip(content):
    with file_of(content, 'file.gz') as path, only(DataError, naming='file.gz'):
        fetch.gunzip(path, f'{path}.unpacked')


def test_gunzip_bomb():
    with (
        file_of(gzip_bomb(b'', 1 << 30), 'file.gz') as path,
        only(),
        pytest.raises(DataError, match='file.gz: found more than'),
    ):
        fetch.gunzip(path, f'{path}.unpacked')
