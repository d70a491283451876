"""Turns that stop half way while they take records from an inbox, on a queue as a story left it.

The book knows only scripts that run to their end, and queues with room. So this is a story beside
the story: records are pushed, turns stop at some of their writes, the queue has little room, and
later turns must have made one job of each record. Then all keys are put back as they stood.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from shared.store import TurnRequest, keys
from tests.support.failing import MARK, failing_lua

from . import census as counting
from .audit import require
from .census import Census
from .server import ReplyError
from .world import PREFIX, turn_call

if TYPE_CHECKING:
    from shared import Queue

    from .world import AuditedStore

EVERY = 100
"""Steps between two of them: a tenth of the time of a simulation."""
MOST_WRITES = 14
MOST_BYTES_AT, MOST_JOBS_AT = 20, 21
TURNS = 8
UNCUT = 1_300
"""Bytes of a queue of three shards whose longest record here is not cut."""


class StoppedIntake:
    """One such story, on one queue."""

    def __init__(self, world: AuditedStore, queue: Queue, rng: Random) -> None:
        self._world, self._queue, self._rng = world, queue, rng
        self._seq = 0

    def play(self) -> None:
        """Raises ViolationError where a record became no job, or two."""
        world, rng, name = self._world, self._rng, self._queue.name
        before = world.count(name)
        raws = [f"{n % 4} " + "x" * rng.choice((0, 30, 300)) for n in range(rng.choice((1, 3, 12)))]
        world.server.run("RPUSH", keys.part(PREFIX, name, "inbox"), *raws)
        bounds = self._bounds(before)
        for _ in range(rng.randrange(1, 4)):
            fault = failing_lua(rng.randrange(1, MOST_WRITES), killed=rng.random() < 0.5)
            self._turn(rng.choice((bounds, {})), fault)  # others may fill the room that it had
        for _ in range(TURNS):
            self._turn(bounds)
        self._made(before)  # each has its place, whether there is room for the others or not
        for _ in range(TURNS):
            self._turn({})
        self._check(before, [*before.lists["intake"], *before.lists["inbox"], *raws])
        counting.write_back(world.server, PREFIX, name, before)
        require(world.count(name).records == before.records, "the simulator can't restore", name)
        world.server.run("DEL", MARK)
        world.seen["stopped intakes"] += 1

    def _bounds(self, before: Census) -> dict[int, int]:
        """Positions in ARGV -> numbers that leave room for all, or for some."""
        few = self._rng.randrange(4)
        match self._rng.randrange(3):
            case 1:
                return {MOST_JOBS_AT: before.number("jobs") + few}
            case 2:
                return {MOST_BYTES_AT: max(UNCUT, before.number("bytes")) + 150 * few}
            case _:
                return {}

    def _turn(self, bounds: dict[int, int], preface: str = "") -> None:
        self._seq += 1
        ask = TurnRequest("stops", self._seq, 0, 60_000, resync=True)
        args = list(turn_call(self._queue, ask).args)
        for at, number in bounds.items():
            args[at] = number
        reply = self._world.run_apart(self._queue, args, preface)
        failed = isinstance(reply, ReplyError) or not isinstance(reply[1], list)
        require(bool(preface) or not failed, "a turn behind one that stopped fails", reply)

    def _made(self, before: Census) -> list[str]:
        """The bodies of the jobs that were made. Each stands in line once. A turn that stopped
        before it had counted a page leaves records of what still stands in the intake: until there
        is room for the page, no turn writes it again or takes them away."""
        after = self._world.count(self._queue.name)
        made = {job: raw for job, raw in after.records.items() if job not in before.records}
        for job, raw in made.items():
            times, body = after.lists["normal"].count(job), raw.partition("\n")[2]
            sound = times == 1 or (times == 0 and body in after.lists["intake"])
            require(sound, "I1 a job of the inbox stands in line", times, "times", job)
        return [raw.partition("\n")[2] for raw in made.values()]

    def _check(self, before: Census, raws: list[str]) -> None:
        bodies = Counter(self._made(before))
        require(bodies == Counter(raws), "a record became no job, or two", bodies, raws)
        after = self._world.last[self._queue.name]
        left = after.lists["inbox"] + after.lists["intake"]
        require(not left, "records are left in the inbox", left)
