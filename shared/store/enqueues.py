"""Enqueues as requests of the script: many jobs in pages, single ones together, and the nudge of
the request that put the first job in line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..declare.queue import Queue
from ..encryption.jobs import encrypt_job
from ..encryption.keyring import Keyring
from ..jobs.job import Enqueued, Job
from .batching import EnqueueBatcher, Item, split
from .codec import asks_for_nudge, decode_enqueued, encode_options
from .key_limits import door_limit
from .scripts import Calls

if TYPE_CHECKING:
    from ..nudge.sender import NudgeSender

ROOM_OF_FOLLOW_UPS = 1.5
"""How far follow-ups may go beyond the bounds of a queue. A job holds its own place until they are
stored, so in a queue that is full of such jobs none could end."""


class Enqueues:
    """Stores jobs over one client. `nudges` answers what calls a drain; None: nothing does."""

    def __init__(
        self, calls: Calls, keyring: Keyring, nudges: Callable[[], NudgeSender | None]
    ) -> None:
        self._calls, self._keyring, self._nudges = calls, keyring, nudges
        self._batcher = EnqueueBatcher(self._send, calls.rest.clock)

    async def store(self, queue: Queue, jobs: Sequence[Job], *, nudge: bool) -> list[Enqueued]:
        """Store jobs; one answer each, in order. `nudge`: call a drain if they make the queue
        due."""
        items = (_item(self._keyring, queue, job) for job in jobs)
        if len(jobs) == 1:
            answers = [await self._batcher.enqueue(queue, next(items))]
            await self._call_drain(queue, answers, wanted=nudge)
            return answers
        return await self._store_pages(queue, items, nudge=nudge)

    async def follow(self, queue: Queue, jobs: Sequence[Job], within: float) -> list[Enqueued]:
        """Store follow-ups, each request repeated for at most `within` seconds. They may take
        ROOM_OF_FOLLOW_UPS of the queue's bounds: their jobs hold their own places until then."""
        items = (_item(self._keyring, queue, job) for job in jobs)
        return await self._store_pages(queue, items, within, room=ROOM_OF_FOLLOW_UPS)

    async def _store_pages(
        self,
        queue: Queue,
        items: Iterable[Item],
        within: float | None = None,
        *,
        room: float = 1.0,
        nudge: bool = True,
    ) -> list[Enqueued]:
        answers = []
        for batch in split(items):
            stored = await self._send(queue, batch, within, room=room)
            await self._call_drain(queue, stored, wanted=nudge)
            answers += stored
        return answers

    async def _send(
        self, queue: Queue, batch: list[Item], within: float | None, *, room: float = 1.0
    ) -> list[Enqueued]:
        nudges = self._nudges()
        args: list[str | int] = [len(batch)]
        args += [int(queue.max_jobs * room), int(queue.max_bytes * room)]
        args += [nudges.window_ms if nudges else 0, door_limit(queue)]
        for job, body in batch:
            args += [encode_options(job), body]
        reply = await self._calls.send("enqueue", queue, args, within=within)
        codes, nudge, *others = reply.value
        holders, own = iter(others), set[str]()
        answers = []
        for code, (job, _body) in zip(codes, batch, strict=True):
            repeated = reply.repeated and job.id not in own
            own.add(job.id)
            answers.append(decode_enqueued(queue.name, job, code, holders, repeated=repeated))
        if asks_for_nudge(nudge, repeated=reply.repeated):
            answers[0] = answers[0]._replace(nudge=True)
        return answers

    async def _call_drain(self, queue: Queue, answers: Sequence[Enqueued], *, wanted: bool) -> None:
        nudges = self._nudges()
        if wanted and nudges and answers[0].nudge:
            await nudges.send([queue.name])


def _item(keyring: Keyring, queue: Queue, job: Job) -> Item:
    """The job as it is stored. Here its id is final, to which encryption binds the payload."""
    if queue.encrypt:
        return Item(*encrypt_job(keyring, queue.name, job))
    return Item(job, job.body())
