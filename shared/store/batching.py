"""Single enqueues of one process that are under way together share requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from ..clock import Clock
from ..declare.queue import Queue
from ..errors import STORE_DOWN
from ..jobs.job import Enqueued, Job
from ..jobs.text import byte_length
from .client.rest import READ_TIMEOUT
from .split import by_size

MOST_JOBS_A_REQUEST = 500
MOST_BODY_BYTES = 4 * 2**20
"""Limits of one enqueue request; more jobs go in several."""
UNDER_WAY = 2
"""Requests of one queue at a time. The second one keeps jobs moving while the first is slow; more
would carry fewer jobs each."""
LEAST_SECONDS = 1.0
"""Seconds for which a request is repeated, however long its jobs waited for the one before."""


class Item(NamedTuple):
    """One job of a request, encoded."""

    job: Job
    body: str

    @property
    def size(self) -> int:
        return byte_length(self.body)


Send: TypeAlias = Callable[[Queue, list[Item], float | None], Awaitable[list[Enqueued]]]
"""Queue, items of one request, seconds to repeat it (None: the usual) → one answer an item."""


def split(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in requests that stay below the store's size limit."""
    return by_size(
        items, lambda item: item.size, most=MOST_JOBS_A_REQUEST, most_bytes=MOST_BODY_BYTES
    )


class _Waiting(NamedTuple):
    """A job that waits for the request under way to end."""

    item: Item
    since: float
    answer: asyncio.Future[Enqueued]


@dataclass(slots=True)
class _Line:
    """One queue's requests under way, and the jobs that wait for one of them to end."""

    under_way: int = 0
    waiting: list[_Waiting] = field(default_factory=list)


class EnqueueBatcher:
    """Sends a lone job at once. Jobs that come while requests of their queue are under way wait for
    one to end and go together in the next. Belongs to one event loop."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send, self._clock = send, clock
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def enqueue(self, queue: Queue, item: Item) -> Enqueued:
        """The answer to this job alone. Raises StoreError."""
        line = self._lines.setdefault(queue.name, _Line())
        if line.under_way >= UNDER_WAY:
            future: asyncio.Future[Enqueued] = asyncio.get_running_loop().create_future()
            line.waiting.append(_Waiting(item, self._clock.monotonic(), future))
            return await future
        line.under_way += 1
        try:
            return (await self._send(queue, [item], None))[0]
        finally:
            self._send_next(queue, line)

    def _send_next(self, queue: Queue, line: _Line) -> None:
        """A request of the line has ended: send the jobs that wait for that."""
        # A job whose caller was cancelled is not sent.
        waiting = [one for one in line.waiting if not one.answer.done()]
        if not waiting:
            line.under_way, line.waiting = line.under_way - 1, []
            if not line.under_way:
                del self._lines[queue.name]
            return
        fit = len(next(split(one.item for one in waiting)))
        line.waiting = waiting[fit:]
        task = asyncio.get_running_loop().create_task(self._run(queue, line, waiting[:fit]))
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    async def _run(self, queue: Queue, line: _Line, batch: list[_Waiting]) -> None:
        try:
            await self._deliver(queue, batch)
        finally:
            for waiting in batch:
                waiting.answer.cancel()  # without effect on an answered one
            self._send_next(queue, line)

    async def _deliver(self, queue: Queue, batch: list[_Waiting]) -> None:
        """Answer each job. A request that the store refuses is halved until the job that is to
        blame is alone: the others are stored."""
        waited = self._clock.monotonic() - batch[0].since
        within = max(LEAST_SECONDS, READ_TIMEOUT - waited)
        try:
            answers = await self._send(queue, [waiting.item for waiting in batch], within)
        except Exception as error:  # noqa: BLE001 - it is raised again, in each caller
            if len(batch) == 1 or isinstance(error, STORE_DOWN):
                _fail(batch, error)
                return
            half = len(batch) // 2
            await self._deliver(queue, batch[:half])
            await self._deliver(queue, batch[half:])
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)


def _fail(batch: Iterable[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(copy(error))  # a traceback belongs to one caller
