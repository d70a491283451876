"""The jobs of one bulk request: each is stored, or has a problem of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..declare.idempotency import Key
from ..declare.queue import Queue
from ..errors import IdempotencyMismatch, StoreError, TidegateError
from ..jobs.job import EnqueueAnswer, Job
from ..jobs.sizes import MOST_JOBS_A_REQUEST
from ..store import Store
from .problems import Problem, problem_entry
from .producer import Producer

READS = 50
"""Reads at a time of the jobs that stand for those of a limited token."""

Answer = EnqueueAnswer | dict[str, Any]
"""What became of one job: stored, or the document of its problem."""


class Bulk:
    """Jobs and answers of one request by position."""

    def __init__(self, store: Store, queue: Queue, producer: Producer, key: Key | None) -> None:
        self._store, self._queue, self._producer, self._key = store, queue, producer, key
        self._jobs: dict[int, Job] = {}
        self._answers: dict[int, Answer] = {}

    def parse(self, values: Sequence[Any]) -> None:
        """Make jobs of the values that fit. The others are answered with their problem."""
        for position, value in enumerate(values):
            guard = self._key.guard(position) if self._key else None
            try:
                self._jobs[position] = self._producer.job(value, guard)
            except TidegateError as error:
                self._answers[position] = problem_entry(error)

    async def store_jobs(self) -> None:
        """Store every job, as many at a time as a request to the store takes: a failure half-way
        leaves the earlier ones stored and answered. Raises IdempotencyMismatch where the key came
        with another request: then nothing is stored; and StoreError where nothing was."""
        positions = list(self._jobs)
        for at in range(0, len(positions), MOST_JOBS_A_REQUEST):
            await self._store_chunk(positions[at : at + MOST_JOBS_A_REQUEST])
        if self._producer.is_scoped:
            answered = list(self._answers)
            for at in range(0, len(answered), READS):
                await asyncio.gather(*map(self._hide, answered[at : at + READS]))

    def answers(self) -> list[Answer]:
        """One answer a value, in order."""
        return [self._answers[position] for position in sorted(self._answers)]

    async def _store_chunk(self, positions: Sequence[int]) -> None:
        jobs = [self._jobs[position] for position in positions]
        try:
            stored = await self._store.enqueue(self._queue, jobs)
        except StoreError as error:
            if not self._some_stored():
                raise
            self._answers.update(dict.fromkeys(positions, problem_entry(error)))
            return
        if self._key and all(isinstance(one.refusal, IdempotencyMismatch) for one in stored):
            raise IdempotencyMismatch
        answers = [problem_entry(one.refusal) if one.refusal else one for one in stored]
        self._answers.update(zip(positions, answers, strict=True))

    async def _hide(self, position: int) -> None:
        """Where a job that the caller does not reach stands for this one, say so and no more."""
        answer = self._answers[position]
        if isinstance(answer, EnqueueAnswer):
            try:
                await self._producer.require_reached(answer)
            except Problem as error:
                self._answers[position] = problem_entry(error)

    def _some_stored(self) -> bool:
        return any(isinstance(answer, EnqueueAnswer) for answer in self._answers.values())
