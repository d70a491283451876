"""The codec of stored records and of the one-letter codes that scripts use (lua/lib/codes.lua).

A record is one header line that the scripts own, the body as it was enqueued, and the history that
each settle replaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from ..jobs.job import Priority
from ..jobs.outcome import Kind

KIND_CODES: Mapping[Kind, str] = {
    "done": "d",
    "retry": "r",
    "dead": "x",
    "release": "l",
    "snooze": "s",
    "park": "p",
    "cancelled": "c",
    "keep": "k",
    "decide": "e",
}
State = Literal["waiting", "delayed", "active", "parked", "completed", "cancelled", "dead"]
STATES: Mapping[str, State] = {
    "w": "waiting",
    "d": "delayed",
    "p": "parked",
    "c": "completed",
    "k": "cancelled",
    "x": "dead",
    "a": "active",
}
"""States by code. A record says "w" for every live job; its place says which: waiting, delayed or
active."""
ANSWERED: Mapping[str, str] = {**STATES, "g": "gone"}
"""What an enqueue answers, by code. "gone", of a duplicate: its job has ended, and its record is
deleted."""
STATE_CODES: Mapping[str, str] = {state: code for code, state in STATES.items()}
PRIORITY_CODES: Mapping[Priority, str] = {"high": "h", "normal": "n", "low": "l"}
PRIORITIES_BY_CODE: Mapping[str, Priority] = {code: name for name, code in PRIORITY_CODES.items()}


class Header(NamedTuple):
    """The scripts' part of a record. `length`: bytes of the body."""

    state: str
    fence: int
    attempts: int
    crashes: int
    priority: str
    length: int
    redrives: int
    key: str
    dedup: str
    flags: str
    reason: str
    since: str = ""


def read_record(raw: str | bytes) -> tuple[Header, str | bytes, str | bytes]:
    """(header, body, history). Parts that are not UTF-8 stay bytes. Raises ValueError where the
    header is damaged."""
    if isinstance(raw, str) and raw.isascii():  # then characters are bytes
        line, _, text = raw.partition("\n")
        header = read_header(line)
        return header, text[: header.length], text[header.length :]
    first, _newline, rest = (raw.encode() if isinstance(raw, str) else raw).partition(b"\n")
    header = read_header(first.decode("utf-8", "replace"))
    return header, _text(rest[: header.length]), _text(rest[header.length :])


@lru_cache(maxsize=1024)
def read_header(line: str) -> Header:
    """The header of a record, without its newline. Raises ValueError where it is damaged. New jobs
    with bodies of one length share their header, so it is mostly read once."""
    state, fence, attempts, crashes, priority, length, redrives, *names = line.split(" ")
    counts = int(fence), int(attempts), int(crashes)
    key, dedup, flags, reason, *since = names
    return Header(
        *(state, *counts, priority, int(length), int(redrives)),
        *(key, dedup, flags, reason, *_since(since)),
    )


def _since(names: list[str]) -> list[str]:
    if len(names) > 1 or not all(name.isdecimal() for name in names):
        raise ValueError(f"{names} is no instant")
    return names


def _text(part: bytes) -> str | bytes:
    try:
        return part.decode()
    except UnicodeDecodeError:
        return part


FOREIGN, ON_DEAD, DECIDED = "f", "o", "d"
"""Flags of a record: a foreign producer wrote its body; its death has follow-ups; how it ends is
decided."""
