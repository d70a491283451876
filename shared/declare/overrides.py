"""A job's own numbers in place of its job type's: attempts, backoff, timeout. It may have fewer
attempts and a shorter timeout; more only where the queue declares `overrides`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidOption
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
        _check_attempts(job_type, options.attempts, f"attempts: {options.attempts}", "attempts")
        overrides["attempts"] = options.attempts
    if options.timeout is not None:
        overrides["timeout"] = _checked_timeout(job_type, options.timeout)
    if options.backoff is not None:
        retry = _retry(options.backoff)
        _check_backoff(job_type, retry)
        if retry.steps and options.attempts is None:
            what = f"backoff: {len(retry.steps)} waits make {retry.attempts} attempts"
            _check_attempts(job_type, retry.attempts, what, "backoff")
        if options.attempts is not None and len(retry.steps) >= options.attempts:
            raise InvalidOption(
                f"backoff: {options.attempts} attempts have {options.attempts - 1} waits, and "
                f"{len(retry.steps)} are named: leave the last out",
                "backoff",
            )
        overrides["backoff"] = retry.backoff()
    return overrides


def _check_attempts(job_type: JobType[Any], attempts: int, what: str, field: str) -> None:
    allowed = job_type.queue.overrides.attempts
    most = job_type.retry.attempts if allowed is None else allowed
    if attempts > most:
        raise InvalidOption(f"{what}; {_bound_sentence(job_type)} at most {most}", field)


def _checked_timeout(job_type: JobType[Any], seconds: float) -> float:
    allowed = job_type.queue.overrides.timeout
    longest = job_type.timeout if allowed is None else allowed
    if seconds > longest:
        what = f"timeout: {seconds:g} s; {_bound_sentence(job_type)} at most {longest:g} s"
        raise InvalidOption(what, "timeout")
    return seconds


def _check_backoff(job_type: JobType[Any], retry: Retry) -> None:
    allowed = job_type.queue.overrides.backoff
    least = min(LEAST_BACKOFF, job_type.retry.shortest) if allowed is None else allowed
    if retry.shortest < least:
        what = f"backoff: a wait of {retry.shortest:g} s; {_bound_sentence(job_type)} no less than"
        raise InvalidOption(f"{what} {least:g} s", "backoff")


def _bound_sentence(job_type: JobType[Any]) -> str:
    return f"an enqueue of {job_type.name!r} on queue {job_type.queue.name!r} may have"


def _retry(backoff: Backoff | list[float] | float) -> Retry:
    if isinstance(backoff, list):
        return Retry.waits(backoff)
    if not isinstance(backoff, Backoff):
        return Retry.fixed(wait=backoff)
    jitter = backoff.jitter or 0.0
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
