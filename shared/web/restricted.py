"""Requests of tokens that are limited: to job types or keys, or in their number. Loaded for those
alone; any other request costs nothing here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..access.caller import Caller
from ..access.rights import Allowance
from ..declare.queue import Queue
from ..errors import Forbidden, TokenLimited
from ..jobs.ids import split_id
from ..jobs.job import EnqueueAnswer
from ..store import Store
from ..store.allowances import TakeAnswer, take
from ..store.reads import job_not_found
from .body import read_object
from .call import Call
from .operation import Operation
from .problems import Problem, ProblemType

TAKEN = ProblemType("id-taken", 409, "The id or the name is taken")
_TAKEN = (
    "A job that the token does not reach, or that is gone, has taken the job_id or the "
    "deduplication name; choose another one."
)
REMEMBERED = 60.0
"""Seconds for which a refusal is not asked for again, at most: clocks of functions may stand."""
MOST_REMEMBERED = 1000


class Refusal(NamedTuple):
    """What the store answered at this instant of the process: come again after so many seconds."""

    at: float
    seconds: float
    message: str


_refusals: dict[tuple[str, bool], Refusal] = {}
"""By the subject of a token, and whether it is about jobs, of which none are left, or about all
requests."""


async def restrict(operation: Operation, call: Call) -> None:
    """Raises Forbidden and JobNotFound for what the token does not reach, TokenLimited where its
    requests or its jobs are used up, and Problem, InvalidRequest, StoreError.

    A job out of reach does not exist for it. An enqueue is judged job by job (web/enqueue.py)."""
    scoped = call.caller.is_scoped
    if scoped and not operation.by_job:
        raise Forbidden(
            "The token is limited to some job types or keys, and this operation is about more."
        )
    await _take(operation, call)
    if scoped and "id" in call.request.path_params:
        view = await call.deployment.store.inspect(*call.job())
        if not call.caller.reaches_job(view.type, view.key):
            raise job_not_found(call.param("id"))


async def _take(operation: Operation, call: Call) -> None:
    caller, allowance = call.caller, call.caller.allowance
    jobs = await _jobs(call) if operation.access == "enqueue" and allowance.jobs_a_day else 0
    if not (allowance.requests_a_minute or jobs):
        return
    now = call.deployment.clock.monotonic()
    _refuse_again(caller.subject, now, has_jobs=bool(jobs))
    taken = await take(
        call.deployment.store,
        caller.subject,
        requests_a_minute=allowance.requests_a_minute or 0,
        jobs_a_day=(allowance.jobs_a_day or 0) if jobs else 0,
        jobs=jobs,
    )
    if taken.wait_ms:
        refusal = Refusal(now, taken.wait_ms / 1000, _message(allowance, jobs, taken))
        if jobs <= taken.jobs_left or not taken.jobs_left:
            _remember(refusal, caller.subject, of_jobs=jobs > taken.jobs_left)
        raise TokenLimited(refusal.seconds, refusal.message)


def _refuse_again(subject: str, now: float, *, has_jobs: bool) -> None:
    """Raises TokenLimited where the store has just refused the like: a token that is used up costs
    no command for each of its requests."""
    for of_jobs in (False, True)[: 1 + has_jobs]:
        refusal = _refusals.get((subject, of_jobs))
        if refusal and now - refusal.at < min(refusal.seconds, REMEMBERED):
            raise TokenLimited(refusal.at + refusal.seconds - now, refusal.message)


def _remember(refusal: Refusal, subject: str, *, of_jobs: bool) -> None:
    if len(_refusals) >= MOST_REMEMBERED:
        _refusals.clear()
    _refusals[subject, of_jobs] = refusal


def _message(allowance: Allowance, jobs: int, taken: TakeAnswer) -> str:
    if jobs > taken.jobs_left:
        return (
            f"The token may store {allowance.jobs_a_day} jobs a day, until midnight in UTC; "
            f"{taken.jobs_left} are left."
        )
    return f"The token may make {allowance.requests_a_minute} requests a minute."


async def _jobs(call: Call) -> int:
    """How many jobs the request wants to store, whatever becomes of them: its own, and those that
    follow them, of either end."""
    body = await read_object(call.request)
    many = body.get("jobs")
    left, count = list(many) if isinstance(many, list) else [body], 0
    while left:  # as long as the body, which is bounded
        count, job = count + 1, left.pop()
        options = job.get("options") if isinstance(job, dict) else None
        if not isinstance(options, dict):
            continue
        count += options.get("callback") is not None
        for name in ("then", "on_dead"):
            following = options.get(name)
            left += following if isinstance(following, list) else ()
    return count


async def unreached(
    store: Store, queue: Queue, caller: Caller, stored: Iterable[EnqueueAnswer]
) -> dict[str, Problem]:
    """For a token that is limited to types or keys: by the public id of each job that stands for
    one that it asked for, and that it does not reach, the problem in place of the answer. It is
    told no state of it. One read of all these jobs, however many they are."""
    parts = {answer.id: split_id(answer.id) for answer in stored if answer.duplicate}
    local = {public: own[0] for public, own in parts.items() if own}
    headers = await store.headers(queue, list(local.values()))
    return {
        public: Problem(TAKEN, _TAKEN)
        for public, own in local.items()
        if own not in headers or not caller.reaches_job(*headers[own])
    }
