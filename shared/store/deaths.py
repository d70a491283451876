"""Dead letters on their way to an archive and back: read whole, removed once they are archived,
restored. Each request is one script, and each may be repeated. Raises StoreError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, NamedTuple

from ..declare.queue import Queue
from ..jobs.sizes import MOST_BYTES_A_REQUEST
from . import keys
from .codec import read_record
from .scripts import Calls, script

MOST_BYTES = MOST_BYTES_A_REQUEST
Restored = Literal["restored", "before", "exists", "taken", "full", "names"]
_RESTORED: Mapping[str, Restored] = {
    "w": "restored",
    "I": "before",
    "D": "exists",
    "N": "taken",
    "F": "full",
    "G": "names",
}


class Death(NamedTuple):
    """One dead letter as it is stored. `id` is the one within its queue, `at_ms` store time;
    `record` is empty where it is lost."""

    id: str
    at_ms: int
    record: bytes = field(repr=False)

    @property
    def fence(self) -> int | None:
        """The number of its last delivery; None where the record is damaged or lost."""
        try:
            return read_record(self.record)[0].fence
        except ValueError:
            return None


class OldestDeaths(NamedTuple):
    """Store time, and queue → the instant of its oldest dead letter (ms)."""

    now_ms: int
    by_queue: Mapping[str, int]


class RestoreRequest(NamedTuple):
    """A dead letter to restore. `name` stands for this one death, whatever becomes of its job."""

    id: str
    name: str
    record: str = field(repr=False)


class Deaths:
    """These verbs over one client and one key prefix."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def oldest(self, queues: Sequence[Queue]) -> OldestDeaths:
        """Which of these queues have dead letters, and since when. One command while none has,
        else two more and one a queue."""
        if not queues:
            return OldestDeaths(0, {})
        calls = self._calls
        names = [keys.part(calls.prefix, queue.name, "dead") for queue in queues]
        if not int(await calls.rest.execute(["EXISTS", *names], "oldest_deaths")):
            return OldestDeaths(0, {})
        oldest = script("oldest_deaths", key_locking=calls.key_locking)
        now, *instants = (await oldest.send(calls.rest, names, [])).value
        by_queue = {
            queue.name: int(float(instant))
            for queue, instant in zip(queues, instants, strict=True)
            if instant
        }
        return OldestDeaths(int(now), by_queue)

    async def keep_oldest(self, queue: Queue, at_ms: int | None) -> None:
        """Keep this instant beside the queue's own numbers, for the readers of those: it costs them
        no command. None: there is none."""
        key = keys.part(self._calls.prefix, queue.name, "records")
        change: list[str | int] = ["HDEL", key, ":archive"]
        if at_ms is not None:
            change = ["HSET", key, ":archive", at_ms]
        await self._calls.rest.execute(change, "oldest_deaths")

    async def read(
        self, queue: Queue, *, dead_for_ms: int, skip: int, most: int, most_bytes: int = MOST_BYTES
    ) -> list[Death]:
        """The oldest dead letters that are dead for so long, with their records. Fewer than `most`
        where their bytes are many, none only where there are no more."""
        args = dead_for_ms, skip, most, most_bytes
        reply = await self._calls.run("deaths", queue, *args)
        return [
            Death(job_id, int(float(instant)), _bytes(record))
            for job_id, instant, record in zip(reply[::3], reply[1::3], reply[2::3], strict=True)
        ]

    async def remove(self, queue: Queue, deaths: Sequence[Death]) -> int:
        """Delete dead letters for good, unless they are others by now; how many went."""
        words = [
            f"{one.id} {one.at_ms} {'-' if one.fence is None else one.fence} {len(one.record)}"
            for one in deaths
        ]
        (removed,) = await self._calls.run("remove_deaths", queue, *words) if words else (0,)
        return int(removed)

    async def restore(
        self, queue: Queue, letters: Sequence[RestoreRequest], *, names_ms: int
    ) -> list[Restored]:
        """Put dead letters of an archive back in line, with all their attempts and their ids. Their
        names are kept for `names_ms`, so a repeat answers "before". "exists": a job with the id is
        stored; "taken": another job holds the deduplication name; "full": there is no room;
        "names": there is none for its names."""
        args: list[str | int] = [queue.max_jobs, queue.max_bytes, names_ms]
        for one in letters:
            args += [one.id, f"restored:{one.name}", one.record]
        reply = await self._calls.send("restore", queue, args)
        verdicts = [_RESTORED[code] for code in reply.value[0]]
        if not reply.repeated:
            return verdicts
        return ["restored" if one == "before" else one for one in verdicts]


def _bytes(record: str | bytes) -> bytes:
    return record.encode() if isinstance(record, str) else record
