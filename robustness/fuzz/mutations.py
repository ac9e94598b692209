"""Files that are nearly right, which reach further into a parser than random bytes do."""

import gzip
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

Edits = st.SearchStrategy[Callable[[bytes], bytes]]

MOST_EDITS = 4
LONGEST_RUN = 64  # bytes that one edit inserts or repeats
NEAR_START = 160  # where headers are; half of all edits go there
_BITS = {'b': 8, 'h': 16, 'i': 32, 'q': 64}


class Field(NamedTuple):
    """A number in a header."""

    offset: int
    form: str  # as `struct` spells it


def fields(offset: int, form: str) -> list[Field]:
    """The numbers of a header that starts at `offset`, by the format of all, such as '>4I'."""
    order, count, kind = form[0], int(form[1:-1] or 1), form[-1]
    size = struct.calcsize(order + kind)
    return [Field(offset + size * number, order + kind) for number in range(count)]


def near(valid: bytes, header: Sequence[Field] = ()) -> st.SearchStrategy[bytes]:
    """`valid` itself, or after a few edits; half as many times, bytes of no kind at all.

    Args:
      valid: a file that its parser takes.
      header: numbers that are set to extreme values.
    """
    edits = [_flip(), _cut(), _delete(), _insert(), _repeat()]
    if header:
        edits += [_set(header)] * 2

    def apply(chosen) -> bytes:
        content = valid
        for edit in chosen:
            content = edit(content)
        return content

    changed = st.lists(st.one_of(edits), max_size=MOST_EDITS).map(apply)
    return st.one_of(changed, changed, st.binary(max_size=4 * LONGEST_RUN))


def compressed(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Files of `contents` as they are, in gzip, and with the gzip data damaged."""
    packed = contents.map(lambda content: gzip.compress(content, mtime=0))
    return st.one_of(contents, packed, packed.flatmap(near))


def gzip_bomb(start: bytes, num_bytes: int) -> bytes:
    """A gzip file of `start` and then `num_bytes` zeros, a thousand times smaller."""
    piece = 1 << 24
    member = gzip.compress(bytes(piece), mtime=0)  # members one after the other are one file
    whole, rest = divmod(num_bytes, piece)
    return gzip.compress(start, mtime=0) + member * whole + gzip.compress(bytes(rest), mtime=0)


def extremes(form: str) -> list[int]:
    """Numbers that fit a format and overflow whoever computes with them."""
    bits = _BITS[form[-1].lower()]
    signed = form[-1].islower()
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    candidates = {0, 1, 2, 255, 65535, highest // 2, highest - 1, highest, lowest}
    candidates.add(-1 if signed else 3)
    return sorted(value for value in candidates if lowest <= value <= highest)


def _place() -> st.SearchStrategy[Callable[[bytes], int]]:
    """Where to edit content of any length: a function of the content."""
    start = st.integers(0, NEAR_START).map(lambda offset: lambda content: min(offset, len(content)))
    anywhere = st.integers(0, 1 << 16).map(lambda part: lambda content: part * len(content) >> 16)
    return st.one_of(start, anywhere)


def _edit(change: Callable[..., bytes], *arguments: st.SearchStrategy) -> Edits:
    """An edit at a place: `change(before, after, ...)` of what lies around it."""

    def make(place, *values):
        def apply(content: bytes) -> bytes:
            at = place(content)
            return change(content[:at], content[at:], *values)

        return apply

    return st.builds(make, _place(), *arguments)


def _run() -> st.SearchStrategy[int]:
    return st.integers(1, LONGEST_RUN)


def _flip() -> Edits:
    def change(before, after, mask):
        return before + bytes([after[0] ^ mask]) + after[1:] if after else before

    return _edit(change, st.integers(1, 255))


def _cut() -> Edits:
    return _edit(lambda before, after: before)


def _delete() -> Edits:
    return _edit(lambda before, after, length: before + after[length:], _run())


def _insert() -> Edits:
    return _edit(
        lambda before, after, new: before + new + after, st.binary(min_size=1, max_size=LONGEST_RUN)
    )


def _repeat() -> Edits:
    return _edit(
        lambda before, after, length, times: before + after[:length] * times + after,
        _run(),
        st.integers(1, 8),
    )


def _set(header: Sequence[Field]) -> Edits:
    def make(field, value):
        packed = struct.pack(field.form, value)

        def apply(content: bytes) -> bytes:
            end = field.offset + len(packed)
            return content[: field.offset] + packed + content[end:]

        return apply

    chosen = st.sampled_from(header)
    return chosen.flatmap(
        lambda field: st.sampled_from(extremes(field.form)).map(lambda value: make(field, value))
    )
