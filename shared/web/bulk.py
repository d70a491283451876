"""The jobs of one bulk request: each is stored, or has a problem of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..declare.idempotency import Key
from ..declare.parse import parse_job
from ..declare.queue import Queue
from ..errors import IdempotencyMismatch, KeyLimited, QueueFull, StoreError, TidegateError
from ..jobs.job import EnqueueAnswer, Job
from .call import Call
from .problems import Problem, problem_of

CHUNK = 500
"""Jobs a store request: a failure half-way leaves the earlier chunks stored and answered."""
READS = 50
"""Reads at a time of the jobs that stand for those of a limited token."""

Answer = EnqueueAnswer | dict[str, Any]
"""What became of one job: stored, or the document of its problem."""


class Bulk:
    """Jobs and answers of one request by position. `trace`: of those that have none of their
    own."""

    def __init__(self, call: Call, queue: Queue, key: Key | None, *, trace: str = "") -> None:
        self._store, self._queue, self._key = call.deployment.store, queue, key
        self._find_queue, self._by, self._trace = call.queue_of, call.caller, trace
        self._jobs: dict[int, Job] = {}
        self._answers: dict[int, Answer] = {}

    def parse(self, values: Sequence[Any]) -> None:
        """Make jobs of the values that fit. The others are answered with their problem."""
        for position, value in enumerate(values):
            # Whatever its position, the first job that fits takes the guard of position 0, so two
            # bodies under one key always collide there.
            guard = self._key.guard(position if self._jobs else 0) if self._key else None
            try:
                find, check = self._find_queue, self._by.require_job
                job = parse_job(self._queue, value, guard, find_queue=find, check=check)
                trace = job.trace or self._trace
                self._jobs[position] = replace(job, by=self._by.subject, trace=trace)
            except TidegateError as error:
                self._answers[position] = problem_of(error)[0]

    async def store_jobs(self) -> None:
        """Store every job. Raises IdempotencyMismatch before anything is stored, and StoreError
        where nothing was."""
        positions = list(self._jobs)
        if self._key and positions:
            # One job goes ahead: if its key came before with another body, no other is sent.
            first, *positions = positions
            stored = await self._store.enqueue_one(self._queue, self._jobs[first])
            self._answers[first] = stored
        for at in range(0, len(positions), CHUNK):
            await self._store_chunk(positions[at : at + CHUNK])
        if self._by.is_scoped:
            answered = list(self._answers)
            for at in range(0, len(answered), READS):
                await asyncio.gather(*map(self._hide, answered[at : at + READS]))

    def answers(self) -> list[Answer]:
        """One answer a value, in order."""
        return [self._answers[position] for position in sorted(self._answers)]

    async def _store_chunk(self, positions: Sequence[int]) -> None:
        jobs = [self._jobs[position] for position in positions]
        answers: Sequence[Answer]
        try:
            answers = [
                _answer(enqueued) for enqueued in await self._store.enqueue(self._queue, jobs)
            ]
        except StoreError as error:
            if not self._some_stored():
                raise
            answers = [problem_of(error)[0]] * len(positions)
        self._answers.update(zip(positions, answers, strict=True))

    async def _hide(self, position: int) -> None:
        """Where a job that the caller does not reach stands for this one, say so and no more."""
        from .restricted import require_reached  # noqa: PLC0415 - no other token pays for it

        answer = self._answers[position]
        if isinstance(answer, EnqueueAnswer):
            try:
                await require_reached(self._store, self._queue, self._by, answer)
            except Problem as error:
                self._answers[position] = problem_of(error)[0]

    def _some_stored(self) -> bool:
        return any(isinstance(answer, EnqueueAnswer) for answer in self._answers.values())


def _answer(enqueued: EnqueueAnswer) -> Answer:
    if enqueued.full:
        return problem_of(QueueFull())[0]
    if enqueued.limited_for is not None:
        document = problem_of(KeyLimited(enqueued.limited_for))[0]
        return {**document, "retry_after": enqueued.limited_for}
    return problem_of(IdempotencyMismatch())[0] if enqueued.mismatch else enqueued
