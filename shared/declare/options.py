"""The options of an enqueue as Python callers write them. `requests.py` has the same options as a
model, which checks them for every caller: Python, HTTP, command line and inbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Required, TypeAlias, TypedDict

from ..jobs.job import Job, Priority

YEAR_10000 = 253_402_300_800
"""Epoch seconds: instants are before it."""


class DedupOption(TypedDict, total=False):
    """At most one job stands for all that share `id` (absent: their type and payload)."""

    id: str | None
    ttl: float | None
    mode: Literal["until_done", "window"] | None


class BackoffOption(TypedDict, total=False):
    """How long to wait after each failed attempt, in seconds."""

    type: Required[Literal["fixed", "exponential"]]
    delay: Required[float]
    factor: float | None
    cap: float | None
    jitter: float | None


AnyBackoffOption: TypeAlias = float | Sequence[float] | BackoffOption


class JobOptions(TypedDict, total=False):
    """Options of one job; every one may be left out, and None means so too. Times are seconds.

    `then`, `on_dead`: jobs made by `job_type.job(…)` that are enqueued when this one completes, or
    dies. `callback`: the https URL of a webhook that is called at either end.
    """

    delay: float | None
    run_at: datetime | str | None
    priority: Priority | None
    attempts: int | None
    backoff: AnyBackoffOption | None
    timeout: float | None
    dedup: str | DedupOption | None
    dedup_ttl: float | None
    key: str | None
    job_id: str | None
    idempotency_key: str | None
    then: Sequence[Job] | None
    on_dead: Sequence[Job] | None
    callback: str | None
