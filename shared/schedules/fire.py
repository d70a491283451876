"""Fire the schedules that are due: enqueue the jobs of their occurrences, then move their entries.

Both steps can be repeated by any number of callers in any order. A job has its id from its planned
instant, and an entry only moves forward. So a stop between the steps fires the same jobs again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ..declare.queue import Queue
from ..declare.schedule import Schedule
from ..errors import ConfigurationError, QueueFull
from ..jobs.job import Job
from ..store import Store
from ..store.keys import NEVER
from ..store.schedules import failing_of
from .due_jobs import due_jobs

log = logging.getLogger("tidegate.schedules")


async def fire(
    store: Store, schedules: Sequence[Schedule], agenda: Mapping[str, float], now: int
) -> list[Queue]:
    """Fire those whose entry has come. Answers the queues that have new jobs. Raises StoreError.

    An occurrence for which there is no room stays due: that is logged, and the next tick tries
    again. One whose payload can't be made or stored stays due for a while (due_jobs.py).
    """
    found = [
        (schedule, made)
        for schedule in schedules
        if agenda.get(schedule.entry, NEVER) <= now and schedule.pause not in agenda
        if (made := due_jobs(schedule, agenda, now)) is not None
    ]
    jobs: dict[Queue, list[tuple[Job, Schedule]]] = {}
    for schedule, made in found:
        pairs = [(job, schedule) for job in made.jobs]
        jobs.setdefault(schedule.job_type.queue, []).extend(pairs)
    stay = set[str]()
    for queue, pairs in jobs.items():
        stay |= await _enqueue(store, queue, pairs)
    moves, failing = dict[str, int](), dict[str, int]()
    for entry, made in ((schedule.entry, made) for schedule, made in found):
        if entry not in stay and made.following > agenda[entry]:
            moves[entry] = made.following
        if made.failed and agenda.get(failing_of(entry), 0) < made.following:
            failing[failing_of(entry)] = now
    await store.schedules.move(moves)
    await store.schedules.mark(failing)
    return [queue for queue, pairs in jobs.items() if pairs]


async def _enqueue(store: Store, queue: Queue, pairs: Sequence[tuple[Job, Schedule]]) -> set[str]:
    """The entries that stay due: there was no room, or this function can't enqueue on the queue,
    whose secret is missing."""
    try:
        # This tick drains it.
        answers = await store.enqueue(queue, [job for job, _ in pairs], nudge=False)
    except ConfigurationError as error:
        for key in {schedule.key for _, schedule in pairs}:
            facts = {"schedule": key, "error": f"{type(error).__name__}: {error}"}
            log.error("schedule_error", extra=facts)  # noqa: TRY400 - the sentence says it all
        return {schedule.entry for _, schedule in pairs}
    stay = set[str]()
    for answer, (_, schedule) in zip(answers, pairs, strict=True):
        if answer.refusal is not None:
            is_full = isinstance(answer.refusal, QueueFull)
            event = "schedule_queue_full" if is_full else "schedule_key_limited"
            log.error(event, extra={"schedule": schedule.key})
            stay.add(schedule.entry)
    return stay
