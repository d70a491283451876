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
from .occurrences import after, last_until

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
    known = planned is not None
    if schedule.pause in agenda:
        return ScheduleView(schedule, paused=True, known=known, next=[])
    start = now if planned is None else int(planned) - 1
    upcoming = list(islice(after(schedule, start), UPCOMING))
    return ScheduleView(schedule, paused=False, known=known, next=upcoming)


async def pause(store: Store, schedule: Schedule) -> bool:
    """No occurrence from now on, whatever version of the code ticks; answers whether it was paused
    before. Raises StoreError."""
    before = schedule.pause in await store.agenda()
    await store.schedules.add({schedule.pause: int(NEVER)})
    return before


async def resume(store: Store, schedule: Schedule, now: int) -> bool:
    """Go on with the first occurrence after `now` (ms); answers whether it was paused before. What
    was due meanwhile does not run, at the times of no version of the code. Raises StoreError."""
    agenda = await store.agenda()
    if schedule.pause not in agenda:
        return False
    entries = [entry for entry in agenda if entry.startswith(f"{schedule.pause}#")]
    await store.schedules.move(dict.fromkeys(entries, now + 1))
    await store.schedules.remove([schedule.pause])  # last: a stop before leaves it paused
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
