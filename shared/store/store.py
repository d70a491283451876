"""The store's verbs, typed. Each is one request and one script; only `agenda` and `stirring` read
plainly.

Every mutating verb may be repeated: jobs carry their own ids, turns carry (owner, seq), the rest
says what it found. Raises StoreError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from ..errors import IdempotencyMismatch, JobNotFound
from ..job import Enqueued, Guard, Job, public_id
from ..queue import Queue
from . import keys
from .meter import Meter
from .rest import Rest
from .scripts import Script, script
from .turn import TurnAsk, TurnReply, read_reply
from .views import Ended, JobView, QueueStats, read_ended, read_stats, read_view

MOST_JOBS = 500
MOST_BODY_BYTES = 4 * 2**20
PAGE = 500
Ending = Literal["dead", "completed", "cancelled", "parked"]
_STATES = {
    "w": "waiting",
    "d": "delayed",
    "p": "parked",
    "c": "completed",
    "k": "cancelled",
    "x": "dead",
}


class Store:
    """All that Tidegate says to Redis. Holds a client and a prefix, and when it was last swept."""

    def __init__(self, rest: Rest, prefix: str = "tidegate", *, key_locking: bool = True) -> None:
        self.rest = rest
        self.prefix = prefix
        self._key_locking = key_locking
        self.swept_at: float | None = None
        """When a drain of this process last looked past the agenda, on its monotonic clock."""

    @property
    def meter(self) -> Meter:
        """What this client has asked for so far."""
        return self.rest.meter

    def skew_ms(self) -> float:
        """Milliseconds by which the store's clock is ahead of ours, as far as known."""
        return self.rest.skew_ms()

    async def enqueue(self, queue: Queue, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs; one answer each, in order. A mismatching idempotency key is told per job."""
        answers: list[Enqueued] = []
        for batch in _batches(jobs):
            args: list[str | int] = [queue.name, len(batch)]
            for job, body in batch:
                args += [_item(job), body]
            codes, *others = await self._run("enqueue", queue.name, args)
            rest = iter(others)
            for code, (job, _body) in zip(codes, batch, strict=True):
                answers.append(_enqueued(queue.name, job, code, rest))
        return answers

    async def enqueue_one(self, queue: Queue, job: Job) -> Enqueued:
        """Store one job. Raises IdempotencyMismatch where its key came before with another body."""
        answer = (await self.enqueue(queue, [job]))[0]
        if answer.mismatch:
            raise IdempotencyMismatch
        return answer

    async def turn(self, queue: Queue, ask: TurnAsk, *, within: float | None = None) -> TurnReply:
        """Settle, recover, promote, take tokens and claim, in one request. Repeated until `within`
        s."""
        return read_reply(
            queue.name, ask, await self._run("turn", queue.name, ask.args(queue), within=within)
        )

    async def agenda(self) -> dict[str, float]:
        """Queue -> instant (ms) before which it has no work. One plain read, whatever their
        number."""
        reply = await self.rest.execute(
            ["ZRANGE", keys.agenda(self.prefix), 0, -1, "WITHSCORES"], "agenda"
        )
        return {name: float(instant) for name, instant in reply}  # upstash-redis makes the pairs

    async def stirring(self, parts: Mapping[str, Sequence[str]]) -> bool:
        """Does any of these parts of these queues exist, whatever the agenda says? One plain read
        for all."""
        found = [key for queue in parts for key in keys.parts(self.prefix, queue, parts[queue])]
        return int(await self.rest.execute(["EXISTS", *found], "sweep")) > 0

    async def inspect(self, queue: Queue, job_id: str) -> JobView:
        """One job as it stands. Raises JobNotFound."""
        reply = await self._run("inspect", queue.name, [queue.name, job_id])
        if not reply or reply[0] != "found":
            raise _not_found(queue, job_id)
        return read_view(queue, job_id, reply[1:])

    async def cancel(self, queue: Queue, job_id: str) -> str:
        """`cancelled` at once, `cancel_requested` (it is running), or the state it ended in."""
        (answer,) = await self._run("cancel", queue.name, [queue.name, job_id])
        if not answer:
            raise _not_found(queue, job_id)
        return str(_STATES.get(answer, answer))

    async def redrive(self, queue: Queue, job_ids: Sequence[str]) -> list[bool]:
        """Dead letters back to work. Per id: was it dead (or parked) and is waiting now?"""
        return await self._each("redrive", queue.name, job_ids)

    async def delete(self, queue: Queue, job_ids: Sequence[str]) -> list[bool]:
        """Delete ended jobs for good. Per id: was it there, and ended?"""
        return await self._each("delete", queue.name, job_ids)

    async def pause(self, queue: Queue, *, paused: bool) -> bool:
        """Stop or allow claiming; answers whether it was paused before."""
        (before,) = await self._run("pause", queue.name, [queue.name, int(paused)])
        return bool(before == "1")

    async def purge(self, queue: Queue) -> int:
        """Delete all waiting and delayed jobs, a page a request; answers how many went."""
        total = 0
        while True:
            (gone,) = await self._run("purge", queue.name, [queue.name, PAGE])
            total += int(gone)
            if gone < PAGE:
                return total

    async def stats(self, queue: Queue) -> QueueStats:
        """Sizes, totals, limits and durations of one queue."""
        types = sorted(queue.types)
        return read_stats(queue, types, await self._run("stats", queue.name, [queue.name, *types]))

    async def browse(
        self, queue: Queue, ending: Ending, *, newest: str = "+inf", skip: int = 0, most: int = 50
    ) -> list[Ended]:
        """A page of ended (or parked) jobs, newest first; go on with the last one's instant as
        `newest` and `skip` = how many of that very instant were seen."""
        reply = await self._run("browse", queue.name, [queue.name, ending, newest, skip, most])
        return [read_ended(queue, *reply[i : i + 3]) for i in range(0, len(reply), 3)]

    async def close(self) -> None:
        """Close the client's connections."""
        await self.rest.close()

    async def _each(self, verb: str, queue: str, job_ids: Sequence[str]) -> list[bool]:
        verdicts = ""
        for at in range(0, len(job_ids), PAGE):
            (answer,) = await self._run(verb, queue, [queue, *job_ids[at : at + PAGE]])
            verdicts += answer
        return [verdict == "1" for verdict in verdicts]

    async def _run(
        self, verb: str, queue: str, args: Sequence[str | int], *, within: float | None = None
    ) -> list[Any]:
        return await self.script(verb).run(
            self.rest, keys.vector(self.prefix, queue), args, within=within
        )

    def script(self, verb: str) -> Script:
        """The script of a verb as this store's server wants it."""
        return script(verb, key_locking=self._key_locking)


def _not_found(queue: Queue, job_id: str) -> JobNotFound:
    name = public_id(job_id, queue.name)
    return JobNotFound(f"no job {name}: it never existed, or its retention has ended")


def _item(job: Job) -> str:
    dedup, idem = job.dedup or _NO_GUARD, job.idempotency or _NO_GUARD
    return (
        f"{job.id} {job.priority[0]} {job.delay_ms} {job.run_at_ms} {job.key} "
        f"{dedup.name} {dedup.ttl_ms} {idem.name} {idem.ttl_ms} {idem.fingerprint}"
    )


_NO_GUARD = Guard("-")


def _enqueued(queue: str, job: Job, code: str, others: Iterator[str]) -> Enqueued:
    if code in "wd":
        return Enqueued(public_id(job.id, queue), _STATES[code], duplicate=False)
    if code == "M":
        return Enqueued(public_id(job.id, queue), "", duplicate=False, mismatch=True)
    holder, state = next(others), next(others)
    return Enqueued(public_id(holder, queue), _STATES[state], duplicate=code == "D")


def _batches(jobs: Sequence[Job]) -> Iterator[list[tuple[Job, str]]]:
    """Jobs with their bodies, in requests that stay below the store's size limit."""
    batch: list[tuple[Job, str]] = []
    size = 0
    for job in jobs:
        body = job.body()
        length = len(body) if body.isascii() else len(body.encode())
        if batch and (len(batch) == MOST_JOBS or size + length > MOST_BODY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((job, body))
        size += length
    if batch:
        yield batch
