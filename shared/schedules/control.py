"""What operators do with a schedule: look at it, pause it, resume it, run it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from ..declare.queue import Queue
from ..declare.schedule import Schedule
from ..errors import JobNotFound
from ..jobs.ids import public_id
from ..jobs.job import EnqueueAnswer
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
    """A run in the past: its instant (ms), its job, and the state of the job. None: the occurrence
    did not run. `manual`: an operator started it; else the instant is the planned one."""

    planned: int
    job_id: str
    state: str | None
    manual: bool = False


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


async def run_now(store: Store, schedule: Schedule, now: int) -> EnqueueAnswer:
    """Enqueue a job beside the occurrences. With `overlap="skip"` it is a duplicate while another
    has not ended. Raises StoreError, QueueFull."""
    job = job_at(schedule, now)
    await store.schedules.note_run(schedule.key, job.id, now)  # first: a job is never undone
    return await store.enqueue_one(schedule.job_type.queue, job)


async def last_runs(store: Store, shown: ScheduleView, now: int) -> list[LastRun]:
    """The last runs, newest first: occurrences, back to the oldest whose job is still stored, and
    what operators started. One script a run. Raises StoreError."""
    runs = await _last_occurrences(store, shown, now) + await _manual_runs(store, shown.schedule)
    return sorted(runs, key=lambda run: run.planned, reverse=True)[:LAST_RUNS]


async def _last_occurrences(store: Store, shown: ScheduleView, now: int) -> list[LastRun]:
    schedule, runs = shown.schedule, list[LastRun]()
    queue = schedule.job_type.queue
    # An occurrence that is due stands in `next`.
    planned = last_until(schedule, min(now, shown.next[0] - 1) if shown.next else now)
    while planned is not None and len(runs) < LAST_RUNS:
        local = occurrence_id(schedule, planned)
        runs.append(
            LastRun(planned, public_id(local, queue.name), await _state(store, queue, local))
        )
        planned = last_until(schedule, planned - 1)
    while runs and runs[-1].state is None:  # the schedule may be younger than that
        runs.pop()
    return runs


async def _manual_runs(store: Store, schedule: Schedule) -> list[LastRun]:
    """Those whose job is still stored. One whose enqueue failed is noted, and has none."""
    queue, runs = schedule.job_type.queue, list[LastRun]()
    for local, instant in (await store.schedules.noted_runs(schedule.key)).items():
        state = await _state(store, queue, local)
        if state is not None:
            runs.append(LastRun(instant, public_id(local, queue.name), state, manual=True))
    return runs


async def _state(store: Store, queue: Queue, local: str) -> str | None:
    try:
        return (await store.inspect(queue, local)).state
    except JobNotFound:
        return None
