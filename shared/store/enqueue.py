"""Enqueues as requests of enqueue.lua: many jobs in pages, and single ones that are under way
together in one request. The request that put the first job in line sends a nudge."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..clock import Clock
from ..declare.queue import Queue
from ..encryption.jobs import encrypt_job
from ..encryption.keyring import Keyring
from ..errors import STORE_DOWN, IdempotencyMismatch, KeyLimited, NotStored, QueueFull
from ..jobs.body import byte_length
from ..jobs.ids import created_ms, public_id
from ..jobs.job import NAMES_FULL, EnqueueAnswer, Guard, Job
from ..jobs.sizes import MOST_BYTES_A_REQUEST, MOST_JOBS_A_REQUEST
from .client.rest import READ_TIMEOUT
from .codec import ANSWERED, ON_DEAD, PRIORITY_CODES
from .key_limits import door_limit
from .scripts import Calls
from .split import by_size
from .usage import MOST_OF_SHARE, WORST_SHARD

if TYPE_CHECKING:
    from ..nudge.sender import NudgeSender

UNDER_WAY = 2
"""Requests of one queue at a time. The second one keeps jobs moving while the first is slow; more
would carry fewer jobs each."""
LEAST_SECONDS = 1.0
"""Seconds for which a request is repeated, however long its jobs waited for the one before."""
NO_GUARD = Guard("-")


class Room(NamedTuple):
    """How much jobs may fill. `of_queue`: as a multiple of the queue's bounds; `of_share`: of a
    shard's even share of that."""

    of_queue: float
    of_share: float


ENQUEUES, FOLLOW_UPS = Room(1.0, MOST_OF_SHARE), Room(WORST_SHARD, 1.0)


class Item(NamedTuple):
    """One job of a request, encoded."""

    job: Job
    body: str

    @property
    def size(self) -> int:
        return byte_length(self.body)


Send: TypeAlias = Callable[[Queue, list[Item], float | None], Awaitable[list[EnqueueAnswer]]]
"""Queue, items of one request, seconds to repeat it (None: the usual) → one answer an item."""


def split(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items in requests that stay below the store's size limit."""
    return by_size(
        items, lambda item: item.size, most=MOST_JOBS_A_REQUEST, most_size=MOST_BYTES_A_REQUEST
    )


class Enqueues:
    """Stores jobs over one client. `nudges` answers what calls a drain; None: nothing does."""

    def __init__(
        self, calls: Calls, keyring: Keyring, nudges: Callable[[], NudgeSender | None]
    ) -> None:
        self._calls, self._keyring, self._nudges = calls, keyring, nudges
        self._batcher = EnqueueBatcher(self._send, calls.rest.clock)

    async def store(self, queue: Queue, jobs: Sequence[Job], *, nudge: bool) -> list[EnqueueAnswer]:
        """Store jobs; one answer each, in order. `nudge`: call a drain if they make the queue
        due."""
        if len(jobs) != 1:
            return await self._store_pages(queue, jobs, nudge=nudge)
        answer = await self._batcher.enqueue(queue, self._item(queue, jobs[0]))
        if nudge and answer.nudge:
            await self._call_drain(queue)
        return [answer]

    async def follow(self, queue: Queue, jobs: Sequence[Job], within: float) -> list[EnqueueAnswer]:
        """Store follow-ups, each request repeated for at most `within` seconds. They may take
        WORST_SHARD of the queue's bounds: their jobs hold their own places until then."""
        return await self._store_pages(queue, jobs, within, room=FOLLOW_UPS)

    async def _store_pages(
        self,
        queue: Queue,
        jobs: Sequence[Job],
        within: float | None = None,
        *,
        room: Room = ENQUEUES,
        nudge: bool = True,
    ) -> list[EnqueueAnswer]:
        answers = []
        for batch in split(self._item(queue, job) for job in jobs):
            stored = await self._send(queue, batch, within, room=room)
            if nudge and stored[0].nudge:
                await self._call_drain(queue)
            answers += stored
        return answers

    def _item(self, queue: Queue, job: Job) -> Item:
        """The job as it is stored. Here its id is final, to which encryption binds the payload."""
        if queue.encrypt:
            return Item(*encrypt_job(self._keyring, queue.name, job))
        return Item(job, job.body())

    async def _send(
        self, queue: Queue, batch: list[Item], within: float | None, *, room: Room = ENQUEUES
    ) -> list[EnqueueAnswer]:
        nudges = self._nudges()
        args: list[str | int] = [len(batch)]
        args += [int(queue.max_jobs * room.of_queue), int(queue.max_bytes * room.of_queue)]
        args += [nudges.window_ms if nudges else 0, door_limit(queue), str(room.of_share)]
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
        # "1": call a drain. "2": an earlier attempt of this request was answered so; its reply may
        # have been lost.
        if nudge == "1" or (nudge == "2" and reply.repeated):
            answers[0] = answers[0]._replace(nudge=True)
        return answers

    async def _call_drain(self, queue: Queue) -> None:
        nudges = self._nudges()
        if nudges:
            await nudges.send([queue.name])


class _WaitingJob(NamedTuple):
    """A job that waits for the request under way to end."""

    item: Item
    since: float
    answer: asyncio.Future[EnqueueAnswer]


@dataclass(slots=True)
class _Line:
    """One queue's requests under way, and the jobs that wait for one of them to end."""

    under_way: int = 0
    waiting: list[_WaitingJob] = field(default_factory=list)


class EnqueueBatcher:
    """Sends a lone job at once. Jobs that come while requests of their queue are under way wait for
    one to end and go together in the next. Belongs to one event loop."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send, self._clock = send, clock
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def enqueue(self, queue: Queue, item: Item) -> EnqueueAnswer:
        """The answer to this job alone. Raises StoreError."""
        line = self._lines.setdefault(queue.name, _Line())
        if line.under_way >= UNDER_WAY:
            future: asyncio.Future[EnqueueAnswer] = asyncio.get_running_loop().create_future()
            line.waiting.append(_WaitingJob(item, self._clock.monotonic(), future))
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

    async def _run(self, queue: Queue, line: _Line, batch: list[_WaitingJob]) -> None:
        try:
            await self._deliver(queue, batch)
        finally:
            for waiting in batch:
                waiting.answer.cancel()  # without effect on an answered one
            self._send_next(queue, line)

    async def _deliver(self, queue: Queue, batch: list[_WaitingJob]) -> None:
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


def _fail(batch: Iterable[_WaitingJob], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(copy(error))  # a traceback belongs to one caller


def encode_options(job: Job) -> str:
    """What enqueue.lua is told of a job besides its body."""
    since = f" {job.created_ms}" if job.created_ms else ""
    dedup, idem = job.dedup or NO_GUARD, job.idempotency or NO_GUARD
    own = all(guard.is_own for guard in (job.dedup, job.idempotency) if guard)
    priority = PRIORITY_CODES.get(job.priority, "?")  # the script refuses an unknown one
    return (
        f"{job.id} {priority} {job.delay_ms} {job.run_at_ms} {job.key} "
        f"{dedup.name} {dedup.ttl_ms} {idem.name} {idem.ttl_ms} {idem.fingerprint} {own:d} "
        f"{ON_DEAD if job.follows_death else '-'}{since}"
    )


def decode_enqueued(
    queue: str, job: Job, code: str, others: Iterator[str], *, repeated: bool
) -> EnqueueAnswer:
    """What enqueue.lua answers for one job. `repeated`: if the job that stands for it is itself, it
    was stored by an earlier attempt of this request."""
    if code in "wd":
        return EnqueueAnswer(public_id(job.id, queue), ANSWERED[code], duplicate=False)
    if code in "MFGL":
        refusal = _refusal(code, others)
        return EnqueueAnswer(public_id(job.id, queue), "", duplicate=False, refusal=refusal)
    holder, state = next(others), next(others)
    duplicate = code == "D" and not (repeated and holder == job.id and _is_new(job, state))
    return EnqueueAnswer(public_id(holder, queue), ANSWERED[state], duplicate=duplicate)


def _refusal(code: str, others: Iterator[str]) -> NotStored:
    if code == "L":
        return KeyLimited(int(next(others)) / 1000)
    if code == "M":
        return IdempotencyMismatch()
    return QueueFull(NAMES_FULL if code == "G" else None)


def _is_new(job: Job, state: str) -> bool:
    """True for a job that this request may have stored: its id is ours, or it has not ended."""
    return created_ms(job.id) is not None or state in "wda"
