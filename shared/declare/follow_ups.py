"""The options `then`, `on_dead` and `callback` of an enqueue, checked: the line of follow-ups that
the job's body keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import Discard, InvalidOption
from ..jobs.follow_ups import FollowUp, FollowUps
from ..jobs.job import Job
from .payload import check_size
from .requests import LIST_OF_FOLLOW_UPS, MOST_FOLLOW_UPS, MOST_LEVELS, PUBLIC_URL

if TYPE_CHECKING:
    from .queue import JobType


def check_follow_ups(then: object, on_dead: object, callback: str | None) -> FollowUps | None:
    """The follow-ups of one job; None where the options name none. `then`, `on_dead`: jobs made by
    `job_type.job(…)`, or None. Raises InvalidOption, which names the field."""
    if callback is not None:
        _check_url(callback)
    follow_ups = FollowUps(_jobs("then", then), _jobs("on_dead", on_dead), callback)
    if follow_ups.levels > MOST_LEVELS:
        name = "then" if FollowUps(follow_ups.then).levels > MOST_LEVELS else "on_dead"
        raise InvalidOption(
            f"{name}: follow-ups are nested at most {MOST_LEVELS} levels deep: let a handler "
            "enqueue what comes later",
            name,
        )
    return follow_ups if any(follow_ups) else None


def with_follow_ups(job_type: JobType[Any], payload: str, follow_ups: FollowUps) -> str:
    """The payload with the line of its follow-ups. Raises PayloadTooLarge where both together have
    more bytes than the queue takes for a payload."""
    text = f"{payload}\n{follow_ups.line()}"
    check_size(job_type.queue, text)
    return text


def _jobs(name: str, value: object) -> Sequence[FollowUp]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or len(value) > MOST_FOLLOW_UPS:
        raise InvalidOption(f"{name}: {LIST_OF_FOLLOW_UPS}", name)
    return [_follow_up(f"{name}.{n}", one) for n, one in enumerate(value)]


def _follow_up(field: str, job: object) -> FollowUp:
    if not isinstance(job, Job) or not job.queue:
        raise InvalidOption(f"{field}: a job made by job_type.job(…)", field)
    for option, given in (
        ("job_id", job.created_ms),
        ("dedup", job.dedup),
        ("idempotency_key", job.idempotency),
    ):
        if given:
            raise InvalidOption(
                f"{field}: leave out {option}: a follow-up has an id of its own, made of that of "
                "the job that it follows",
                field,
            )
    return FollowUp.of(job)


def _check_url(callback: str) -> None:
    from ..fetch.address import check  # noqa: PLC0415 - cold start: httpx

    try:
        check(callback)
    except Discard:
        raise InvalidOption(f"callback: {PUBLIC_URL}", "callback") from None
