"""How much a queue stores."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Usage(NamedTuple):
    """Jobs, and the bytes of their ids and records."""

    jobs: int
    bytes: int


UsageByShard: TypeAlias = tuple[Usage, ...]


def read_usage(text: str) -> UsageByShard:
    """The scripts' text "jobs bytes jobs bytes …", a pair for each shard."""
    numbers = [int(number) for number in text.split()]
    return tuple(map(Usage, numbers[::2], numbers[1::2]))


def write_usage(usage: UsageByShard) -> str:
    """The same text."""
    return " ".join(f"{one.jobs} {one.bytes}" for one in usage)
