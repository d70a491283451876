"""Requests of tokens that are limited: to job types or keys, or in their number. Loaded for those
alone; any other request costs nothing here."""

from __future__ import annotations

from ..access.rights import Allowance
from ..errors import Forbidden, TokenLimited
from ..store.allowances import Taken, take
from ..store.reads import job_not_found
from .body import read_object
from .call import Call
from .operation import Operation


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
    taken = await take(
        call.deployment.store,
        caller.subject,
        requests_a_minute=allowance.requests_a_minute or 0,
        jobs_a_day=(allowance.jobs_a_day or 0) if jobs else 0,
        jobs=jobs,
    )
    if taken.wait_ms:
        raise TokenLimited(taken.wait_ms / 1000, _message(allowance, jobs, taken))


def _message(allowance: Allowance, jobs: int, taken: Taken) -> str:
    if jobs > taken.jobs_left:
        return (
            f"The token may store {allowance.jobs_a_day} jobs a day, until midnight in UTC; "
            f"{taken.jobs_left} are left."
        )
    return f"The token may make {allowance.requests_a_minute} requests a minute."


async def _jobs(call: Call) -> int:
    """How many jobs the request wants to store, whatever becomes of them."""
    many = (await read_object(call.request)).get("jobs")
    return len(many) if isinstance(many, list) else 1
