"""How much a queue stores."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Usage(NamedTuple):
    """Jobs, and the bytes of their ids and records."""

    jobs: int
    bytes: int


UsageByShard: TypeAlias = tuple[Usage, ...]
MOST_OF_SHARE = 1.25
"""Of its even share of the queue's bounds a shard takes a quarter more (lua/lib/bounds.lua)."""
MOST_WITH_FULL_HISTORIES = 4 / 3
"""Above this multiple of a shard's even share of the bytes histories are short
(lua/lib/bounds.lua)."""
MOST_WITH_SHORT_HISTORIES = 3 / 2
"""Above this one they are minimal: a settle makes no record longer, but for a decided end whose
follow-ups wait (lua/lib/bounds.lua)."""
WORST_SHARD = 7 / 4
"""The largest shard, as a multiple of its even share, and the largest queue, as one of its bounds:
follow-ups may fill them so far. A job holds its own place until its follow-ups are stored; so where
histories have filled a queue of such jobs, only room beyond all histories lets one end."""

MOST_BYTES_OF_NAMES = 64 * 2**20
"""Of the names that guards hold (idempotency keys, deduplication), which are one entry, whatever
the shards: beyond it an enqueue that brings more is refused, but for the engine's own jobs.
lua/lib/guards.lua has the same."""
OVERHEAD_OF_NAME = 64
"""Bytes that a name takes besides its text."""


def read_usage(text: str) -> UsageByShard:
    """The scripts' text "jobs bytes jobs bytes …", a pair for each shard."""
    numbers = [int(number) for number in text.split()]
    return tuple(map(Usage, numbers[::2], numbers[1::2]))


def fullness(usage: UsageByShard, max_jobs: int, max_bytes: int) -> float:
    """How near a queue is to its bounds, or one of its shards; 1.0: it refuses jobs."""
    jobs, size = sum(one.jobs for one in usage), sum(one.bytes for one in usage)
    levels = [jobs / max_jobs, size / max_bytes]
    if len(usage) > 1:
        part = MOST_OF_SHARE / len(usage)
        levels += [one.jobs / (max_jobs * part) for one in usage]
        levels += [one.bytes / (max_bytes * part) for one in usage]
    return max(levels)


def write_usage(usage: UsageByShard) -> str:
    """The same text."""
    return " ".join(f"{one.jobs} {one.bytes}" for one in usage)
