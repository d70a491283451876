"""What operators do with a schedule: look at it, pause it, resume it, run it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from ..declare.schedule import Schedule
from ..errors import JobNotFound
from ..jobs.ids import public_id
from ..jobs.job import Enqueued
from ..store import Store
from ..store.keys import NEVER
from .jobs import job_at, occurrence_id
from .occurrences import after, first_after, last_until

UPCOMING = 5
LAST_RUNS = 5


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule as it stands. `next`: planned instants (ms), the first may be due; empty while it
    is paused. `known`: False until a sweep has seen it."""

    schedule: Schedule
    paused: bool
    known: bool
    next: list[int]


@dataclass(frozen=True, slots=True)
class LastRun:
    """An occurrence in the past: its planned instant (ms), its job, and the state of the job. None:
    it did not run, or its job's retention has ended."""

    planned: int
    job_id: str
    state: str | None


def view(schedule: Schedule, agenda: Mapping[str, float], now: int) -> ScheduleView:
    """The schedule, by the agenda's entries."""
    planned = agenda.get(schedule.entry)
    if planned is not None and planned >= NEVER:
        return ScheduleView(schedule, paused=True, known=True, next=[])
    start = now if planned is None else int(planned) - 1
    upcoming = list(islice(after(schedule, start), UPCOMING))
    return ScheduleView(schedule, paused=False, known=planned is not None, next=upcoming)


async def pause(store: Store, schedule: Schedule) -> bool:
    """No occurrence from now on; answers whether it was paused before. Raises StoreError."""
    before = (await store.agenda()).get(schedule.entry)
    await store.schedules.place(schedule.entry, int(NEVER))
    return before is not None and before >= NEVER


async def resume(store: Store, schedule: Schedule, now: int) -> bool:
    """Go on with the first occurrence after `now` (ms); answers whether it was paused before. What
    was due meanwhile does not run. Raises StoreError."""
    before = (await store.agenda()).get(schedule.entry)
    if before is None or before < NEVER:
        return False
    await store.schedules.place(schedule.entry, first_after(schedule, now))
    return True


async def run_now(store: Store, schedule: Schedule, now: int) -> Enqueued:
    """Enqueue a job beside the occurrences. With `overlap="skip"` it is a duplicate while another
    has not ended. Raises StoreError, QueueFull."""
    return await store.enqueue_one(schedule.job_type.queue, job_at(schedule, now))


async def last_runs(store: Store, schedule: Schedule, now: int) -> list[LastRun]:
    """The last occurrences, newest first. One script a run."""
    runs: list[LastRun] = []
    queue = schedule.job_type.queue
    planned = last_until(schedule, now)
    while planned is not None and len(runs) < LAST_RUNS:
        local = occurrence_id(schedule, planned)
        try:
            state = (await store.inspect(queue, local)).state
        except JobNotFound:
            state = None
        runs.append(LastRun(planned, public_id(local, queue.name), state))
        planned = last_until(schedule, planned - 1)
    return runs
