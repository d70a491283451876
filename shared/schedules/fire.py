"""Fire the schedules that are due: enqueue the jobs of their occurrences, then move their entries.

Both steps can be repeated by any number of callers in any order. A job has its id from its planned
instant, and an entry only moves forward. So a stop between the steps fires the same jobs again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from ..declare.queue import Queue
from ..declare.schedule import Schedule
from ..errors import STORE_DOWN, QueueFull, TidegateError
from ..jobs.job import Job
from ..store import Store
from ..store.keys import NEVER
from ..store.schedules import failing_of
from .due_jobs import DueJobs, due_jobs

log = logging.getLogger("tidegate.schedules")

QUEUES_AT_A_TIME = 16
"""Queues whose jobs are enqueued at the same time, before their entries move together: twice as
many as a process has connections."""


async def fire(
    store: Store,
    schedules: Sequence[Schedule],
    agenda: Mapping[str, float],
    now: int,
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> list[Queue]:
    """Fire those whose entry has come, those that wait longest first, some queues at a time while
    it `goes_on`: the rest stay due. Answers the queues that have new jobs. Raises StoreError where
    the store is down.

    An occurrence for which there is no room, or whose queue the store refuses, stays due: that is
    logged, and the next tick tries again. One whose payload can't be made or stored stays due for a
    while (due_jobs.py).
    """
    due = [
        schedule
        for schedule in schedules
        if agenda.get(schedule.entry, NEVER) <= now and schedule.pause not in agenda
    ]
    by_queue: dict[Queue, list[Schedule]] = {}
    for schedule in sorted(due, key=lambda one: agenda[one.entry]):
        by_queue.setdefault(schedule.job_type.queue, []).append(schedule)
    fired, left = list[Queue](), list(by_queue.values())
    while left and goes_on():
        fired += await _fire_group(store, left[:QUEUES_AT_A_TIME], agenda, now)
        del left[:QUEUES_AT_A_TIME]
    if left:
        log.warning("schedules_left", extra={"queues": len(left)})
    return fired


async def _fire_group(
    store: Store, group: Sequence[Sequence[Schedule]], agenda: Mapping[str, float], now: int
) -> list[Queue]:
    """Fire these schedules of some queues; the queues that have new jobs."""
    made = [
        [(one, jobs) for one in schedules if (jobs := due_jobs(one, agenda, now)) is not None]
        for schedules in group
    ]
    queues = [schedules[0].job_type.queue for schedules in group]
    results = await asyncio.gather(
        *(_enqueue(store, queue, of_queue) for queue, of_queue in zip(queues, made, strict=True)),
        return_exceptions=True,  # none is left behind under way
    )
    fired, moves, failing = list[Queue](), dict[str, int](), dict[str, int]()
    for queue, of_queue, stay in zip(queues, made, results, strict=True):
        if isinstance(stay, BaseException):
            raise stay
        if any(jobs.jobs and one.entry not in stay for one, jobs in of_queue):
            fired.append(queue)
        for entry, jobs in ((one.entry, jobs) for one, jobs in of_queue):
            if entry not in stay and jobs.following > agenda[entry]:
                moves[entry] = jobs.following
            if jobs.failed and agenda.get(failing_of(entry), 0) < jobs.following:
                failing[failing_of(entry)] = now
    await store.schedules.move(moves)
    await store.schedules.mark(failing)
    return fired


async def _enqueue(store: Store, queue: Queue, due: Sequence[tuple[Schedule, DueJobs]]) -> set[str]:
    """The entries that stay due: there was no room, the store refuses the queue's jobs, or this
    function can't make them, since the queue's secret is missing. Raises StoreError where the store
    is down."""
    pairs: list[tuple[Job, Schedule]] = [(job, one) for one, made in due for job in made.jobs]
    try:
        # This tick drains it.
        answers = await store.enqueue(queue, [job for job, _ in pairs], nudge=False)
    except STORE_DOWN:
        raise
    except TidegateError as error:
        schedules = sorted({one.key for _, one in pairs})
        facts = {"queue": queue.name, "error": f"{type(error).__name__}: {error}"}
        log.error("schedule_error", extra={"schedules": schedules, **facts})  # noqa: TRY400 - the sentence says it all
        return {one.entry for _, one in pairs}
    stay = set[str]()
    for answer, (_, one) in zip(answers, pairs, strict=True):
        if answer.refusal is not None:
            is_full = isinstance(answer.refusal, QueueFull)
            event = "schedule_queue_full" if is_full else "schedule_key_limited"
            log.error(event, extra={"schedule": one.key})
            stay.add(one.entry)
    return stay
