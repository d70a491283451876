"""A stored record (lua/lib/record.lua): one header line that the scripts own, the body as it was
enqueued, the tail that each settle replaces."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Header(NamedTuple):
    """What the scripts know of a job. `length`: bytes of its body."""

    state: str
    fence: int
    attempts: int
    crashes: int
    band: str
    length: int
    redrives: int
    key: str
    dedup: str
    flags: str
    why: str


def read_record(raw: str | bytes) -> tuple[Header, str | bytes, str | bytes]:
    """(header, body, tail). Parts that are not UTF-8 stay bytes. Raises ValueError where the header
    is damaged."""
    if isinstance(raw, str) and raw.isascii():  # then characters are bytes
        line, _, text = raw.partition("\n")
        header = _header(line)
        return header, text[: header.length], text[header.length :]
    first, _newline, rest = (raw.encode() if isinstance(raw, str) else raw).partition(b"\n")
    header = _header(first.decode("utf-8", "replace"))
    return header, _text(rest[: header.length]), _text(rest[header.length :])


@lru_cache(maxsize=1024)
def _header(line: str) -> Header:
    """New jobs with bodies of one length share their header, so it is mostly read once."""
    state, fence, attempts, crashes, band, length, redrives, *names = line.split(" ")
    key, dedup, flags, why = names
    counts = int(fence), int(attempts), int(crashes)
    return Header(state, *counts, band, int(length), int(redrives), key, dedup, flags, why)


def _text(part: bytes) -> str | bytes:
    try:
        return part.decode()
    except UnicodeDecodeError:
        return part
