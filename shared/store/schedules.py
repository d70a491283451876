"""The agenda entries of schedules, and the runs that operators started: plain commands, each safe
to repeat.

A schedule is nothing but an entry, whose instant is the planned one. While it is paused there is a
second entry, which names no times; where its payload function fails, one that says since when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import keys
from .client.rest import Rest

MOST_RUNS = 5
RUNS_SECONDS = 30 * 86_400
"""How long the ids of the runs are kept after the last one."""


def is_schedule(member: str) -> bool:
    """True for an agenda member that is a schedule's and not a queue's."""
    return member.startswith("@")


def failing_of(entry: str) -> str:
    """The agenda's member that says since when (ms) the payload function of a schedule fails."""
    return entry.replace("#", "!")


class ScheduleEntries:
    """The entries of one deployment's agenda. Raises StoreError."""

    def __init__(self, rest: Rest, prefix: str) -> None:
        self._rest, self._prefix, self._agenda = rest, prefix, keys.agenda(prefix)

    async def add(self, entries: Mapping[str, int]) -> None:
        """Add entries with their first instants. One that exists stays as it is."""
        await self._zadd(["NX"], entries)

    async def move(self, entries: Mapping[str, int]) -> None:
        """Move entries forward. One that was removed meanwhile stays so."""
        await self._zadd(["XX", "GT"], entries)

    async def lower(self, entries: Mapping[str, int]) -> None:
        """Move entries back. One that was removed meanwhile stays so."""
        await self._zadd(["XX", "LT"], entries)

    async def mark(self, failing: Mapping[str, int]) -> None:
        """Note since when payload functions fail, over what stands there of occurrences before."""
        await self._zadd(["GT"], failing)

    async def remove(self, entries: Sequence[str]) -> None:
        """Remove entries."""
        if entries:
            await self._rest.execute(["ZREM", self._agenda, *entries], "schedules")

    async def note_run(self, schedule: str, job_id: str, now: int) -> None:
        """Note a job that an operator runs now (ms), and forget all but the last ones."""
        runs = keys.manual_runs(self._prefix, schedule)
        await self._rest.execute(["LPUSH", runs, f"{now} {job_id}"], "schedules")
        await self._rest.execute(["LTRIM", runs, 0, MOST_RUNS - 1], "schedules")
        await self._rest.execute(["EXPIRE", runs, RUNS_SECONDS], "schedules")

    async def noted_runs(self, schedule: str) -> dict[str, int]:
        """The ids of the last jobs that operators ran, with their instants (ms), newest first."""
        runs = keys.manual_runs(self._prefix, schedule)
        reply = await self._rest.execute(["LRANGE", runs, 0, MOST_RUNS - 1], "schedules")
        entries = (str(entry).split(" ") for entry in reply)
        return {job_id: int(instant) for instant, job_id in entries}

    async def _zadd(self, how: list[str], entries: Mapping[str, int]) -> None:
        if entries:
            pairs: list[str | int] = []
            for entry, instant in entries.items():
                pairs += [instant, entry]
            await self._rest.execute(["ZADD", self._agenda, *how, *pairs], "schedules")
