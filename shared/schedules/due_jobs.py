"""The jobs of a schedule's occurrences that are due. One whose payload function fails stays due for
a while: a database that is away for a moment costs no occurrence, and a fault that stays holds up
no later one for long."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..clock import utc
from ..declare.schedule import Schedule
from ..errors import ConfigurationError, StoreError
from ..jobs.job import Job
from ..store.schedules import failing_of
from .jobs import job_of
from .occurrences import due

log = logging.getLogger("tidegate.schedules")

PATIENCE_MS = 600_000
"""How long an occurrence stays due after its payload function has first failed: ten ticks, and less
than its guard lasts (jobs.py)."""


class DueJobs(NamedTuple):
    """The jobs to enqueue, and the schedule's next entry (ms). `failed`: the occurrence of that
    entry is due, and its payload function has failed."""

    jobs: list[Job]
    following: int
    failed: bool


def failing_since(agenda: Mapping[str, float], entry: str) -> int | None:
    """Since when (ms) the payload function of the occurrence that is due fails; None where it does
    not. What the agenda holds from an occurrence before it does not count."""
    since = agenda.get(failing_of(entry))
    return int(since) if since is not None and since >= agenda[entry] else None


def due_jobs(schedule: Schedule, agenda: Mapping[str, float], now: int) -> DueJobs | None:
    """The jobs of the occurrences that are due by `now`, and what the entry becomes; None where
    that can't be told now: the store fails, or a secret is missing."""
    planned = int(agenda[schedule.entry])
    since = failing_since(agenda, schedule.entry)
    waits = since is None or now < since + PATIENCE_MS
    try:
        instants, following = due(schedule, planned, now)
        if since is not None and planned not in instants:  # a later one took its place
            _log_skipped(schedule, planned)
        jobs = list[Job]()
        for instant in instants:
            job = _job_of(schedule, instant, now, waits=waits)
            if job is not None:
                jobs.append(job)
            elif waits:  # later ones come after it
                return DueJobs(jobs, instant, failed=True)
    except KeyboardInterrupt:
        raise
    except BaseException:
        log.exception("schedule_error", **_facts(schedule))
        return None
    return DueJobs(jobs, following, failed=False)


def _job_of(schedule: Schedule, instant: int, now: int, *, waits: bool) -> Job | None:
    """The job of an occurrence; None where its payload can't be made or stored. `waits`: it then
    stays due. Raises StoreError and ConfigurationError, which pass."""
    try:
        return job_of(schedule, instant, now)
    except (KeyboardInterrupt, StoreError, ConfigurationError):
        raise
    except BaseException:
        event = "schedule_payload_failed" if waits else "schedule_occurrence_skipped"
        log.exception(event, **_facts(schedule, instant))
        return None


def _log_skipped(schedule: Schedule, instant: int) -> None:
    facts = {"schedule": schedule.key, "planned": utc(instant).isoformat()}
    log.error("schedule_occurrence_skipped", extra=facts)


def _facts(schedule: Schedule, instant: int | None = None) -> dict[str, Any]:
    """Of the error at hand, for a log line. Its text may quote the payload, so an encrypted queue's
    is left out."""
    facts = {"schedule": schedule.key, "error": type(sys.exception()).__name__}
    if instant is not None:
        facts["planned"] = utc(instant).isoformat()
    return {"exc_info": not schedule.job_type.queue.encrypt, "extra": facts}
