"""The job of an occurrence. Its id is made of schedule and planned instant, so however many callers
fire an occurrence, it is one job."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ..clock import utc
from ..declare.schedule import Schedule
from ..jobs.ids import schedule_id
from ..jobs.job import Guard, Job

GUARD_MS = 3_600_000
"""How long an occurrence is remembered apart from its record: callers of one occurrence overlap by
the length of a function's window at most."""


def job_of(schedule: Schedule, planned: int, now: int) -> Job:
    """The job, made now, of the occurrence planned for that instant (both ms). Raises what the
    payload's function raises."""
    job = job_at(schedule, planned)
    return replace(
        job,
        id=occurrence_id(schedule, planned),
        run_at_ms=planned + _jitter_ms(schedule, planned),
        created_ms=now,
        idempotency=Guard(f"occurrence:{schedule.key}:{planned}", GUARD_MS, is_own=True),
    )


def occurrence_id(schedule: Schedule, planned: int) -> str:
    """The id, within its queue, of the job of an occurrence."""
    return schedule_id(schedule.key, planned)


def job_at(schedule: Schedule, planned: int) -> Job:
    """A job of the schedule with the payload of that instant (ms), under an id of its own."""
    payload = schedule.payload
    if callable(payload):
        payload = payload(utc(planned))
    job = schedule.job_type.job(payload)
    if schedule.overlap == "skip":  # held until the job ends
        job = replace(job, dedup=Guard(f"schedule:{schedule.key}", is_own=True))
    return job


def _jitter_ms(schedule: Schedule, planned: int) -> int:
    """The same delay for each caller of an occurrence."""
    digest = hashlib.sha256(f"{schedule.key} {planned}".encode()).digest()
    return int.from_bytes(digest[:4]) * round(schedule.jitter * 1000) >> 32
