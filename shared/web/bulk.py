"""The jobs of one bulk request: each is stored, or has a problem of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..declare.idempotency import Key
from ..declare.queue import Queue
from ..errors import IdempotencyMismatch, InvalidOption, StoreError, TidegateError
from ..jobs.job import EnqueueAnswer, Job
from ..jobs.sizes import MOST_JOBS_A_REQUEST
from ..store import Store
from .problems import log_failures, problem_entry
from .producer import Producer

MOST_FOLLOW_UP_BYTES = 8 * 2**20
"""Of all jobs' follow-ups as they are stored, where each level of them doubles the backslashes of
the one within: no more than a body may have."""

JOBS_IN_A_ROW = 16
"""Jobs that are made before other requests have their turn."""

Answer = EnqueueAnswer | dict[str, Any]
"""What became of one job: stored, or the document of its problem."""


class Bulk:
    """Jobs and answers of one request by position."""

    def __init__(self, store: Store, queue: Queue, producer: Producer, key: Key | None) -> None:
        self._store, self._queue, self._producer, self._key = store, queue, producer, key
        self._jobs: dict[int, Job] = {}
        self._answers: dict[int, Answer] = {}
        self._errors: list[Exception] = []
        self._room = MOST_FOLLOW_UP_BYTES

    async def parse(self, values: Sequence[Any]) -> None:
        """Make jobs of the values that fit. The others are answered with their problem. Other
        requests have their turn now and then: payloads that take long come a thousand at a time."""
        for position, value in enumerate(values):
            if position % JOBS_IN_A_ROW == 0:
                await asyncio.sleep(0)
            guard = self._key.guard(position) if self._key else None
            try:
                self._require_room(value)
                job = self._producer.job(value, guard)
                self._room -= len(job.payload.partition("\n")[2].encode())
                self._require_room(value)
                self._jobs[position] = job
            except TidegateError as error:
                self._answers[position] = self._problem(error)

    async def store_jobs(self) -> None:
        """Store every job, as many at a time as a request to the store takes: a failure half-way
        leaves the earlier ones stored and answered. Raises IdempotencyMismatch where the key came
        with another request: then nothing is stored; and StoreError where nothing was."""
        positions = list(self._jobs)
        for at in range(0, len(positions), MOST_JOBS_A_REQUEST):
            await self._store_chunk(positions[at : at + MOST_JOBS_A_REQUEST])
        await self._hide_others()

    def answers(self) -> list[Answer]:
        """One answer a value, in order. Those that are no fault of the caller are logged."""
        log_failures(self._errors)
        return [self._answers[position] for position in sorted(self._answers)]

    async def _store_chunk(self, positions: Sequence[int]) -> None:
        jobs = [self._jobs[position] for position in positions]
        try:
            stored = await self._store.enqueue(self._queue, jobs)
        except StoreError as error:
            if not self._some_stored():
                raise
            self._answers.update(dict.fromkeys(positions, self._problem(error)))
            return
        if self._key and all(isinstance(one.refusal, IdempotencyMismatch) for one in stored):
            raise IdempotencyMismatch
        answers = [self._problem(one.refusal) if one.refusal else one for one in stored]
        self._answers.update(zip(positions, answers, strict=True))

    async def _hide_others(self) -> None:
        """Where jobs that the caller does not reach stand for its own, say so and no more."""
        stored = [one for one in self._answers.values() if isinstance(one, EnqueueAnswer)]
        problems = await self._producer.unreached(stored)
        for position, answer in self._answers.items():
            if isinstance(answer, EnqueueAnswer) and answer.id in problems:
                self._answers[position] = self._problem(problems[answer.id])

    def _problem(self, error: Exception) -> dict[str, Any]:
        self._errors.append(error)
        return problem_entry(error)

    def _require_room(self, value: Any) -> None:
        """Raises InvalidOption for a job with follow-ups where those before have taken all bytes:
        before it is made, so nothing is expanded in vain."""
        options = value.get("options") if isinstance(value, dict) else None
        given = options if isinstance(options, dict) else {}
        name = next((name for name in ("then", "on_dead") if given.get(name)), None)
        if self._room < 0 and name:
            raise InvalidOption(
                f"{name}: the follow-ups of this request have more than {MOST_FOLLOW_UP_BYTES} "
                "bytes as they are stored, where each level doubles the backslashes of the one "
                "within: send fewer jobs at a time, or let a handler enqueue what comes later",
                f"options.{name}",
            )

    def _some_stored(self) -> bool:
        return any(isinstance(answer, EnqueueAnswer) for answer in self._answers.values())
