"""Schedules of a simulated town, and the record of their occurrences.

Each planned instant is stored at most once, whatever ticks come twice, late or from a function with
a wrong clock; it never starts early; and where its schedule leaves none out, it is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from shared import Queue
from shared.clock import Clock
from shared.declare.schedule import Schedule
from shared.jobs.ids import schedule_id
from shared.jobs.job import EnqueueAnswer, Job
from shared.schedules.occurrences import after
from shared.store import Store
from shared.store.enqueue import encode_options
from shared.store.keys import NEVER

from .audit import require

OFFSETS = (0, 0, 1_000, 1_000, -1_000, 3_600_000, -3_600_000)
"""Milliseconds by which the clock of a function is wrong."""
TOLERANCE = 2_500
"""Milliseconds by which a function may misjudge the store's time: Date headers have seconds."""
TICK = 5_000
"""Milliseconds within which a tick has read the agenda."""
TIMES: Mapping[str, dict[str, Any]] = {
    "each": {"every": 4.0, "missed": "all"},
    "last": {"every": 11.0, "missed": "latest"},
    "prompt": {"every": 13.0, "missed": "skip", "within": 20.0},
}


def declare(queue: Queue) -> list[Schedule]:
    """The town's schedules; their jobs are of type "t"."""
    job_type = queue.types["t"]
    rest = {"cron": None, "timezone": "UTC", "within": None, "overlap": "allow", "jitter": 0.0}
    return [
        Schedule(name=name, app=queue.app, job_type=job_type, payload=job_type.model(),
                 **{**rest, **times})
        for name, times in TIMES.items()
    ]  # fmt: skip


class WrongClock:
    """The town's clock, `offset` ms wrong about the time of day."""

    def __init__(self, clock: Clock, offset: int) -> None:
        self._clock, self._offset = clock, offset

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def epoch_ms(self) -> int:
        return self._clock.epoch_ms() + self._offset

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class Occurrences:
    """What the store was told of schedules. `entered`: agenda entry -> its first instant."""

    def __init__(self) -> None:
        self.schedules: list[Schedule] = []
        self.entered: dict[str, int] = {}
        self.stored: Counter[str] = Counter()
        self._jobs: dict[str, Job] = {}

    def remember(self, jobs: Sequence[Job]) -> None:
        """Jobs that are about to be sent."""
        self._jobs.update({encode_options(job): job for job in jobs})

    def jobs_of(self, args: Sequence[Any]) -> list[Job]:
        """The jobs of an enqueue that was sent."""
        return [self._jobs[options] for options in args[7::2]]

    def note_stored(self, jobs: Sequence[Job], codes: str, now: int, *, late: bool) -> None:
        """The store has answered an enqueue at `now`."""
        for job, code in zip(jobs, codes, strict=True):
            if code not in "wd":
                continue
            self.stored[job.id] += 1
            require(self.stored[job.id] == 1, "I11 an occurrence was stored twice", job.id)
            schedule, planned = self._planned(job)
            require(planned <= now + TOLERANCE, "I11 stored long before its instant", job.id, now)
            require(planned <= now or code == "d", "I11 may start before its instant", job.id, now)
            age = now - planned - TOLERANCE
            fresh = late or schedule.within is None or age <= schedule.within * 1000
            require(fresh, "I11 stored later than its schedule allows", job.id, now)

    def note_command(self, command: Sequence[Any]) -> None:
        """A plain command that the store carried out: entries are added by ZADD NX."""
        if command[0] == "ZADD" and command[2] == "NX":
            for instant, entry in zip(command[3::2], command[4::2], strict=True):
                self.entered.setdefault(str(entry), int(instant))

    def check_all(self, now: int) -> None:
        """Peace has come, and a tick that began at `now` has fired what was due."""
        for schedule in self.schedules:
            first = self.entered.get(schedule.entry, NEVER)
            require(first <= now, "I11 a schedule was never entered", schedule.entry, first)
            instants = takewhile(lambda at: at <= now + TICK, after(schedule, int(first) - 1))
            stored = {at: self.stored[schedule_id(schedule.key, at)] for at in instants}
            missing = [at for at in stored if at <= now and not stored[at]]
            if schedule.missed != "all":  # the last one, and the tick may have met a later one
                last = max(at for at in stored if at <= now)
                missing = [last] if not any(stored[at] for at in stored if at >= last) else []
            require(not missing, "I11 an occurrence is missing", schedule.entry, missing, now)

    def _planned(self, job: Job) -> tuple[Schedule, int]:
        text = job.id.rpartition("-")[2]
        planned = int(text) if text.isdigit() else 0
        found = [one for one in self.schedules if schedule_id(one.key, planned) == job.id]
        require(len(found) == 1, "I11 an occurrence has another id", job.id)
        return found[0], planned


class ToldStore(Store):
    """The store of one function. What it enqueues is remembered for the auditor."""

    occurrences: Occurrences

    async def enqueue(
        self, queue: Queue, jobs: Sequence[Job], *, nudge: bool = True
    ) -> list[EnqueueAnswer]:
        self.occurrences.remember(jobs)
        return await super().enqueue(queue, jobs, nudge=nudge)

    async def enqueue_follow_ups(
        self, queue: Queue, jobs: Sequence[Job], *, within: float
    ) -> list[EnqueueAnswer]:
        self.occurrences.remember(jobs)
        return await super().enqueue_follow_ups(queue, jobs, within=within)
