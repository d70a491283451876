"""The agenda entries of schedules: plain commands, each safe to repeat.

A schedule is nothing but an entry, whose instant is the planned one. While it is paused there is a
second entry, which names no times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import keys
from .client.rest import Rest


def is_schedule(member: str) -> bool:
    """True for an agenda member that is a schedule's and not a queue's."""
    return member.startswith("@")


class ScheduleEntries:
    """Changes the entries of one deployment's agenda. Raises StoreError."""

    def __init__(self, rest: Rest, prefix: str) -> None:
        self._rest, self._agenda = rest, keys.agenda(prefix)

    async def add(self, entries: Mapping[str, int]) -> None:
        """Add entries with their first instants. One that exists stays as it is."""
        await self._zadd(["NX"], entries)

    async def move(self, entries: Mapping[str, int]) -> None:
        """Move entries forward. One that was removed meanwhile stays so."""
        await self._zadd(["XX", "GT"], entries)

    async def remove(self, entries: Sequence[str]) -> None:
        """Remove entries."""
        if entries:
            await self._rest.execute(["ZREM", self._agenda, *entries], "schedules")

    async def _zadd(self, how: list[str], entries: Mapping[str, int]) -> None:
        if entries:
            pairs: list[str | int] = []
            for entry, instant in entries.items():
                pairs += [instant, entry]
            await self._rest.execute(["ZADD", self._agenda, *how, *pairs], "schedules")
