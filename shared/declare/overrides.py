"""A job's own numbers in place of its job type's: attempts, backoff, timeout. It may have fewer
attempts and a shorter timeout; more only where the queue declares `overrides`, which also bounds
for how long a deduplication name is held. Their ranges are those of the job type and the queue, and
stand here alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import LONGEST_DELAY, InvalidOption
from .policy import Retry
from .requests import Backoff, EnqueueOptions

if TYPE_CHECKING:
    from .queue import JobType

LEAST_BACKOFF = 1.0
"""Seconds: the shortest wait that an enqueue may ask for, unless its job type's own is shorter."""


def read_overrides(job_type: JobType[Any], options: EnqueueOptions) -> dict[str, Any]:
    """The job's own numbers, as its body keeps them. Raises InvalidOption for those that its queue
    does not allow."""
    overrides: dict[str, Any] = {}
    if options.attempts is not None:
        _check_attempts(job_type, options.attempts, "attempts: ", "attempts")
        overrides["attempts"] = options.attempts
    if options.timeout is not None:
        overrides["timeout"] = _checked_timeout(job_type, options.timeout)
    if options.backoff is not None:
        retry = _retry(job_type, options.backoff, options.attempts)
        overrides["backoff"] = retry.backoff()
    return overrides


def check_dedup_ttl(job_type: JobType[Any], seconds: float) -> float:
    """Raises InvalidOption for a name that is held for longer than its queue allows."""
    longest = job_type.queue.overrides.dedup_ttl
    if not 0 < seconds <= longest:  # NaN fails both comparisons
        what = f"dedup.ttl: {_enqueue(job_type)} may have more than 0 and at most {longest:.0f} s"
        raise InvalidOption(f"{what}, by Overrides(dedup_ttl=...)", "dedup.ttl")
    return seconds


def _check_attempts(job_type: JobType[Any], attempts: int, what: str, field: str) -> None:
    allowed = job_type.queue.overrides.attempts
    most = job_type.retry.attempts if allowed is None else allowed
    if not 1 <= attempts <= most:
        raise InvalidOption(f"{what}{_enqueue(job_type)} may have 1 to {most}", field)


def _checked_timeout(job_type: JobType[Any], seconds: float) -> float:
    allowed = job_type.queue.overrides.timeout
    longest = job_type.timeout if allowed is None else allowed
    if not 0 < seconds <= longest:  # NaN fails too
        what = f"timeout: {_enqueue(job_type)} may have more than 0 and at most {longest:g} s"
        raise InvalidOption(what, "timeout")
    return seconds


def _retry(
    job_type: JobType[Any], backoff: Backoff | list[float] | float, attempts: int | None
) -> Retry:
    if isinstance(backoff, list):
        _check_number(job_type, len(backoff), attempts)
        _check_waits(job_type, backoff)
        return Retry.waits(backoff)
    if not isinstance(backoff, Backoff):
        _check_waits(job_type, [backoff])
        return Retry.fixed(wait=backoff)
    jitter = backoff.jitter or 0.0
    _check_waits(job_type, [w for w in (backoff.delay, backoff.cap) if w is not None], jitter)
    if backoff.type == "fixed":
        if backoff.factor is not None or backoff.cap is not None:
            raise InvalidOption("backoff: factor and cap belong to type exponential", "backoff")
        return Retry.fixed(wait=backoff.delay, jitter=jitter)
    return Retry.exponential(
        first=backoff.delay,
        factor=2.0 if backoff.factor is None else backoff.factor,
        cap=max(3600.0, backoff.delay) if backoff.cap is None else backoff.cap,
        jitter=jitter,
    )


def _check_number(job_type: JobType[Any], waits: int, attempts: int | None) -> None:
    """`waits`: how many a list names."""
    if attempts is None:
        what = f"backoff: {waits} waits make {waits + 1} attempts; "
        _check_attempts(job_type, waits + 1, what, "backoff")
    elif waits >= attempts:
        raise InvalidOption(
            f"backoff: {attempts} attempts have {attempts - 1} waits, and {waits} are named: "
            "leave the last out",
            "backoff",
        )


def _check_waits(job_type: JobType[Any], waits: Sequence[float], jitter: float = 0.0) -> None:
    """`jitter`: the share by which a wait may be shorter."""
    allowed = job_type.queue.overrides.backoff
    least = min(LEAST_BACKOFF, job_type.retry.shortest) if allowed is None else allowed
    for wait in waits:
        shortest = wait * (1 - jitter)
        if not (least <= shortest and wait <= LONGEST_DELAY):  # NaN fails too
            what = f"backoff: a wait of {wait if wait > LONGEST_DELAY else shortest:g} s; "
            bounds = f"{least:g} to {LONGEST_DELAY:.0f} s"
            raise InvalidOption(f"{what}{_enqueue(job_type)} may have {bounds}", "backoff")


def _enqueue(job_type: JobType[Any]) -> str:
    return f"an enqueue of {job_type.name!r} on queue {job_type.queue.name!r}"
