"""POST /api/v1/queues/{queue}/jobs: one job, or up to 1,000, each answered by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ..declare.parse import parse_job
from ..declare.queue import Queue
from ..declare.requests import MOST_JOBS
from ..errors import IdempotencyMismatch, StoreError, TidegateError
from ..jobs.job import Enqueued, Job
from ..store import Store
from .body import INVALID, read_object
from .call import Call
from .idempotency import Key, read_key
from .problems import Problem, problem_of
from .responses import Accepted, json_response

CHUNK = 500


async def enqueue(call: Call) -> Response:
    """202: the job is stored. It runs when a drain claims it."""
    queue = call.deployment.registry.queue(call.param("queue"))
    body = await read_object(call.request)
    key = read_key(call.request, body)
    store = call.deployment.store
    if "jobs" in body:
        return json_response(await _many(store, queue, body, key), 202)
    job = parse_job(queue, body, key.guard() if key else None)
    answer = await store.enqueue_one(queue, job)
    return json_response(_accepted(answer), 202, {"Location": f"/api/v1/jobs/{answer.id}"})


async def _many(
    store: Store, queue: Queue, body: dict[str, Any], key: Key | None
) -> dict[str, Any]:
    values = body["jobs"]
    if len(body) > 1 or not isinstance(values, list) or len(values) > MOST_JOBS:
        raise Problem(INVALID, f'Send {{"jobs": [...]}} and nothing else, {MOST_JOBS} at most.')
    bulk = _Bulk(values)
    bulk.check(queue, key)
    if key and bulk.jobs:
        # The first one is sent alone: with another body it mismatches before anything is stored.
        await bulk.send(store, queue, [bulk.positions[0]], alone=True)
    rest = bulk.positions[1:] if key else bulk.positions
    for at in range(0, len(rest), CHUNK):
        await bulk.send(store, queue, rest[at : at + CHUNK])
    return {"jobs": [bulk.answers[position] for position in range(len(values))]}


@dataclass(slots=True)
class _Bulk:
    """Jobs asked for together, what became of each so far, by position."""

    values: Sequence[Any]
    jobs: dict[int, Job]
    answers: dict[int, Any]

    def __init__(self, values: Sequence[Any]) -> None:
        self.values, self.jobs, self.answers = values, {}, {}

    @property
    def positions(self) -> list[int]:
        return list(self.jobs)

    def check(self, queue: Queue, key: Key | None) -> None:
        """Make jobs of what fits; the rest has its problem as its answer."""
        for position, value in enumerate(self.values):
            # The first job that fits carries position 0's guard, so that every body of a key meets.
            guard = key.guard(position if self.jobs else 0) if key else None
            try:
                self.jobs[position] = parse_job(queue, value, guard)
            except (Problem, TidegateError) as error:
                self.answers[position] = {"error": problem_of(error)[0]}

    async def send(
        self, store: Store, queue: Queue, positions: Sequence[int], *, alone: bool = False
    ) -> None:
        """Store these. A fault after others were stored is told per job, else raised."""
        try:
            answers = await store.enqueue(queue, [self.jobs[p] for p in positions])
        except StoreError as error:
            if not any(isinstance(answer, Accepted) for answer in self.answers.values()):
                raise
            failed = problem_of(error)[0]
            self.answers.update({p: {"error": failed} for p in positions})
            return
        for position, answer in zip(positions, answers, strict=True):
            if answer.mismatch and alone:
                raise IdempotencyMismatch
            self.answers[position] = (
                {"error": problem_of(IdempotencyMismatch())[0]}
                if answer.mismatch
                else _accepted(answer)
            )


def _accepted(answer: Enqueued) -> Accepted:
    return Accepted(id=answer.id, state=answer.state, duplicate=answer.duplicate)
