"""The store's verbs, typed. Each is one request and one script; only `agenda` and `has_any` are
plain reads.

Every mutating verb may be repeated: jobs carry their own ids, turns carry (owner, seq), the others
answer the state that they met. Raises StoreError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from ..declare.queue import Queue
from ..errors import IdempotencyMismatch, JobNotFound, QueueFull
from ..jobs.ids import public_id
from ..jobs.job import Enqueued, Guard, Job
from . import keys
from .client.rest import Rest
from .codec import PRIORITY_CODES, STATE_CODES, STATES
from .meter import Meter
from .scripts import script
from .survey import REPAIRS, SurveyPage, Usage, read_survey
from .turn import TurnReply, TurnRequest, read_reply
from .views import JobRecord, JobView, QueueStats, read_row, read_stats, read_view

MOST_JOBS = 500
MOST_BODY_BYTES = 4 * 2**20
"""Limits of one enqueue request; more jobs go in several."""
PAGE = 500
IDS_A_PAGE, RECORDS_A_PAGE = 1000, 200
"""Pages of a survey: it has to read the bodies of records."""
Ended = Literal["dead", "completed", "cancelled"]
"""States whose jobs can be deleted."""
Listed = Literal["dead", "completed", "cancelled", "parked"]
"""States whose jobs can be browsed."""


class Store:
    """The verbs of Tidegate over one client and one key prefix."""

    def __init__(self, rest: Rest, prefix: str = "tidegate", *, key_locking: bool = True) -> None:
        self.rest = rest
        self.prefix = prefix
        self._key_locking = key_locking
        self.swept_at: float | None = None
        """When a drain of this process last swept, on its monotonic clock."""

    @property
    def meter(self) -> Meter:
        """Requests, bytes and billed commands of this client so far."""
        return self.rest.meter

    def skew_ms(self) -> float:
        """Milliseconds by which the store's clock is ahead of ours, as far as known."""
        return self.rest.skew_ms()

    async def enqueue(self, queue: Queue, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs; one answer each, in order: also for a mismatching idempotency key, and for a
        job for which the queue has no room."""
        answers: list[Enqueued] = []
        for batch in _batches(jobs):
            args: list[str | int] = [queue.name, len(batch), queue.max_jobs, queue.max_bytes]
            for job, body in batch:
                args += [_item(job), body]
            codes, *others = await self._run("enqueue", queue.name, args)
            rest = iter(others)
            for code, (job, _body) in zip(codes, batch, strict=True):
                answers.append(_enqueued(queue.name, job, code, rest))
        return answers

    async def enqueue_one(self, queue: Queue, job: Job) -> Enqueued:
        """Store one job. Raises IdempotencyMismatch where its key came before with another body,
        and QueueFull."""
        answer = (await self.enqueue(queue, [job]))[0]
        if answer.mismatch:
            raise IdempotencyMismatch
        if answer.full:
            raise QueueFull
        return answer

    async def turn(
        self, queue: Queue, request: TurnRequest, *, within: float | None = None
    ) -> TurnReply:
        """Settle, recover, promote, take tokens and claim, in one request, repeated for at most
        `within` seconds."""
        reply = await self._run("turn", queue.name, request.args(queue), within=within)
        return read_reply(queue.name, request, reply)

    async def agenda(self) -> dict[str, float]:
        """Queue -> instant (ms) before which it has no work. One plain read, whatever their
        number."""
        reply = await self.rest.execute(
            ["ZRANGE", keys.agenda(self.prefix), 0, -1, "WITHSCORES"], "agenda"
        )
        return {name: float(instant) for name, instant in reply}  # upstash-redis makes the pairs

    async def has_any(self, parts: Mapping[str, Sequence[str]]) -> bool:
        """True if any of these parts of these queues exists, whatever the agenda says. One plain
        read for all."""
        names = [key for queue in parts for key in keys.parts(self.prefix, queue, parts[queue])]
        return int(await self.rest.execute(["EXISTS", *names], "sweep")) > 0

    async def inspect(self, queue: Queue, job_id: str) -> JobView:
        """One job as it stands. Raises JobNotFound."""
        reply = await self._run("inspect", queue.name, [queue.name, job_id])
        if not reply or reply[0] != "found":
            raise _not_found(queue, job_id)
        return read_view(queue, job_id, reply[1:])

    async def cancel(self, queue: Queue, job_id: str) -> str:
        """`cancelled` at once, `cancel_requested` (it runs), or the state in which it had ended."""
        (answer,) = await self._run("cancel", queue.name, [queue.name, job_id])
        if not answer:
            raise _not_found(queue, job_id)
        return str(STATES.get(answer, answer))

    async def redrive(self, queue: Queue, job_ids: Sequence[str]) -> list[bool]:
        """Dead letters back to work. Per id: True if it was dead (or parked) and waits now."""
        return await self._each("redrive", [queue.name], job_ids)

    async def delete(
        self, queue: Queue, job_ids: Sequence[str], state: Ended | None = None
    ) -> list[bool]:
        """Delete ended jobs for good, with a state only those in it. Per id: True if deleted."""
        code = "-" if state is None else STATE_CODES[state]
        return await self._each("delete", [queue.name, code], job_ids)

    async def pause(self, queue: Queue, *, paused: bool) -> bool:
        """Stop or allow claiming; answers whether it was paused before."""
        (before,) = await self._run("pause", queue.name, [queue.name, int(paused)])
        return bool(before == "1")

    async def purge(self, queue: Queue) -> int:
        """Delete all waiting and delayed jobs, a page a request; answers how many went."""
        total, full = 0, True
        while full:
            gone, full = await self.purge_page(queue)
            total += gone
        return total

    async def purge_page(self, queue: Queue) -> tuple[int, bool]:
        """Delete one page of the waiting and delayed jobs: how many, and whether there may be
        more."""
        (gone,) = await self._run("purge", queue.name, [queue.name, PAGE])
        return int(gone), int(gone) == PAGE

    async def survey(self, queue: Queue, part: str, cursor: str) -> SurveyPage:
        """A page of ids: of the job records (part "records") or of one list or sorted set. `cursor`
        is "0" at the beginning, and in the page after which nothing comes."""
        most = RECORDS_A_PAGE if part == "records" else IDS_A_PAGE
        reply = await self._run("survey", queue.name, [queue.name, part, cursor, most])
        return read_survey(part, reply)

    async def reconcile(self, queue: Queue, job_ids: Sequence[str], *, repair: bool) -> list[str]:
        """Compare these jobs' records with their places. Per id: `sound`, `requeued`, `restored` or
        `removed`; without `repair` only reported. At most some 20 ids: each is searched."""
        (codes,) = await self._run("reconcile", queue.name, [queue.name, int(repair), *job_ids])
        return [REPAIRS[code] for code in codes]

    async def recount(self, queue: Queue, stored: Usage, counted: Usage) -> bool:
        """Replace the queue's count of jobs and bytes; False where it is not `stored` any more."""
        (done,) = await self._run("recount", queue.name, [queue.name, *stored, *counted])
        return bool(done == "1")

    async def stats(self, queue: Queue) -> QueueStats:
        """Sizes, totals, limits and durations of one queue."""
        types = sorted(queue.types)
        return read_stats(queue, types, await self._run("stats", queue.name, [queue.name, *types]))

    async def browse(
        self, queue: Queue, state: Listed, *, newest: str = "+inf", skip: int = 0, most: int = 50
    ) -> list[JobRecord]:
        """A page of ended (or parked) jobs, newest first. The next page: the last one's instant as
        `newest`, and as `skip` how many of that instant were seen."""
        reply = await self._run("browse", queue.name, [queue.name, state, newest, skip, most])
        return [read_row(queue, *reply[i : i + 3]) for i in range(0, len(reply), 3)]

    async def close(self) -> None:
        """Close the client's connections."""
        await self.rest.close()

    async def _each(self, verb: str, args: Sequence[str], job_ids: Sequence[str]) -> list[bool]:
        verdicts = ""
        for at in range(0, len(job_ids), PAGE):
            (answer,) = await self._run(verb, args[0], [*args, *job_ids[at : at + PAGE]])
            verdicts += answer
        return [verdict == "1" for verdict in verdicts]

    async def _run(
        self, verb: str, queue: str, args: Sequence[str | int], *, within: float | None = None
    ) -> list[Any]:
        command = script(verb, key_locking=self._key_locking)
        return await command.run(self.rest, keys.vector(self.prefix, queue), args, within=within)


def _not_found(queue: Queue, job_id: str) -> JobNotFound:
    name = public_id(job_id, queue.name)
    return JobNotFound(f"no job {name}: it never existed, or its retention has ended")


def _item(job: Job) -> str:
    dedup, idem = job.dedup or _NO_GUARD, job.idempotency or _NO_GUARD
    priority = PRIORITY_CODES.get(job.priority, "?")  # the script refuses an unknown one
    return (
        f"{job.id} {priority} {job.delay_ms} {job.run_at_ms} {job.key} "
        f"{dedup.name} {dedup.ttl_ms} {idem.name} {idem.ttl_ms} {idem.fingerprint}"
    )


_NO_GUARD = Guard("-")


def _enqueued(queue: str, job: Job, code: str, others: Iterator[str]) -> Enqueued:
    if code in "wd":
        return Enqueued(public_id(job.id, queue), STATES[code], duplicate=False)
    if code in "MF":
        refused = {"mismatch": code == "M", "full": code == "F"}
        return Enqueued(public_id(job.id, queue), "", duplicate=False, **refused)
    holder, state = next(others), next(others)
    return Enqueued(public_id(holder, queue), STATES[state], duplicate=code == "D")


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
