"""Fire the schedules that are due: enqueue the jobs of their occurrences, then move their entries.

Both steps can be repeated by any number of callers in any order. A job has its id from its planned
instant, and an entry only moves forward. So a stop between the steps fires the same jobs again.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..clock import utc
from ..declare.queue import Queue
from ..declare.schedule import Schedule
from ..errors import ConfigurationError, StoreError
from ..jobs.job import Enqueued, Job
from ..store import Store
from .jobs import job_of
from .occurrences import due

log = logging.getLogger("tidegate.schedules")


async def fire(
    store: Store, schedules: Sequence[Schedule], agenda: Mapping[str, float], now: int
) -> list[Queue]:
    """Fire those whose entry has come. Answers the queues that have new jobs. Raises StoreError.

    An occurrence for which there is no room stays due: that is logged, and the next tick tries
    again. One whose payload can't be made or stored is logged with its instant, and skipped.
    """
    jobs: dict[Queue, list[tuple[Job, Schedule]]] = {}
    moves: dict[str, int] = {}
    for schedule in schedules:
        planned = agenda.get(schedule.entry)
        if planned is None or planned > now or schedule.pause in agenda:
            continue
        made = _due_jobs(schedule, int(planned), now)
        if made is not None:
            pairs = [(job, schedule) for job in made[0]]
            jobs.setdefault(schedule.job_type.queue, []).extend(pairs)
            moves[schedule.entry] = made[1]
    for queue, pairs in jobs.items():
        answers = await _enqueue(store, queue, pairs)
        if answers is None:
            for _, schedule in pairs:
                moves.pop(schedule.entry, None)
            continue
        for answer, (_, schedule) in zip(answers, pairs, strict=True):
            if answer.full or answer.limited_for is not None:
                event = "schedule_queue_full" if answer.full else "schedule_key_limited"
                log.error(event, extra={"schedule": schedule.key})
                moves.pop(schedule.entry, None)
    await store.schedules.move(moves)
    return [queue for queue, pairs in jobs.items() if pairs]


async def _enqueue(
    store: Store, queue: Queue, pairs: Sequence[tuple[Job, Schedule]]
) -> list[Enqueued] | None:
    """The answers; None where this function can't enqueue on the queue: its secret is missing."""
    try:
        # This tick drains it.
        return await store.enqueue(queue, [job for job, _ in pairs], nudge=False)
    except ConfigurationError as error:
        for key in {schedule.key for _, schedule in pairs}:
            facts = {"schedule": key, "error": f"{type(error).__name__}: {error}"}
            log.error("schedule_error", extra=facts)  # noqa: TRY400 - the sentence says it all
        return None


def _due_jobs(schedule: Schedule, planned: int, now: int) -> tuple[list[Job], int] | None:
    """The jobs of the occurrences that are due, and the instant of the entry after them; None where
    that can't be told now."""
    try:
        instants, following = due(schedule, planned, now)
        made = [_job_of(schedule, instant, now) for instant in instants]
    except KeyboardInterrupt:
        raise
    except BaseException:
        log.exception("schedule_error", **_facts(schedule))
        return None
    return [job for job in made if job is not None], following


def _job_of(schedule: Schedule, instant: int, now: int) -> Job | None:
    """The job of an occurrence; None where its payload can't be made or stored: tried again, it
    would hold up all later ones for ever. Raises StoreError and ConfigurationError, which pass."""
    try:
        return job_of(schedule, instant, now)
    except (KeyboardInterrupt, StoreError, ConfigurationError):
        raise
    except BaseException:
        log.exception("schedule_occurrence_skipped", **_facts(schedule, instant))
        return None


def _facts(schedule: Schedule, instant: int | None = None) -> dict[str, Any]:
    """Of the error at hand, for a log line. Its text may quote the payload, so an encrypted queue's
    is left out."""
    facts = {"schedule": schedule.key, "error": type(sys.exception()).__name__}
    if instant is not None:
        facts["planned"] = utc(instant).isoformat()
    return {"exc_info": not schedule.job_type.queue.encrypt, "extra": facts}
