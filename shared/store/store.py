"""The store's verbs, typed. Each request is one script; `agenda` and the first look of `find_work`
are plain reads. `enqueue`, `redrive`, `delete` and `purge` go in pages.

Every mutating verb may be repeated: jobs carry their own ids, turns carry (owner, seq), the others
answer the state that they met. Where the client repeated a request whose reply was lost, that state
may be this request's own work, and is answered as such. Raises StoreError.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Literal

from ..declare.queue import Queue
from ..encryption.keyring import NO_KEYS, Keyring
from ..errors import JobNotFound
from ..jobs.ids import public_id
from ..jobs.job import EnqueueAnswer, Job, one_stored
from . import keys
from .access import AccessEntries
from .alert_state import AlertState
from .client.rest import Rest
from .codec import STATE_CODES, STATES
from .deaths import Deaths
from .enqueue import Enqueues
from .find_work import find_work
from .meter import Meter
from .pages import PAGE, apply_in_pages
from .reads import Reads, job_not_found
from .schedules import ScheduleEntries
from .scripts import Calls
from .survey import REPAIRS
from .sweeps import Sweeps
from .turn import TurnReply, TurnRequest, read_reply
from .usage import UsageByShard, write_usage

if TYPE_CHECKING:
    from ..jobs.erase_report import EraseReport
    from ..nudge.sender import NudgeSender

EndState = Literal["dead", "completed", "cancelled"]
"""States whose jobs can be deleted."""


class Store(Reads):
    """The verbs of Tidegate over one client and one key prefix. `nudges`: what calls a drain where
    an enqueue puts the first job in line; None: nothing does."""

    def __init__(
        self,
        rest: Rest,
        prefix: str = "tidegate",
        *,
        key_locking: bool = True,
        keyring: Keyring = NO_KEYS,
        nudges: NudgeSender | None = None,
    ) -> None:
        self.rest, self.clock, self.prefix, self.keyring = rest, rest.clock, prefix, keyring
        self._calls = Calls(rest, prefix, key_locking=key_locking)
        self.nudges = nudges
        self._enqueues = Enqueues(self._calls, keyring, lambda: self.nudges)
        self.schedules = ScheduleEntries(rest, prefix)
        self.access = AccessEntries(rest, prefix)
        self.deaths = Deaths(self._calls)
        self.alerts = AlertState(rest, prefix, key_locking=key_locking)
        # Of this process's drains: their sweeps, the queues that have suspects, and by queue what
        # no turn has counted yet.
        self.sweeps = Sweeps()
        self.suspects: set[str] = set()
        self.uncounted = defaultdict[str, Counter[str]](Counter)  # see drain/turns.py

    @property
    def key_locking(self) -> bool:
        """True if scripts ask Upstash to lock their keys only."""
        return self._calls.key_locking

    @property
    def meter(self) -> Meter:
        """Requests, bytes and billed commands of this client so far."""
        return self.rest.meter

    async def enqueue(
        self, queue: Queue, jobs: Sequence[Job], *, nudge: bool = True
    ) -> list[EnqueueAnswer]:
        """Store jobs; one answer each, in order, with its `refusal` for a job that is not stored.
        Single jobs under way together share requests. `nudge`: call a drain if this makes the queue
        due; False where the caller drains it itself. Raises MissingSecret and MissingExtra where
        the queue is encrypted and this process can't do it."""
        return await self._enqueues.store(queue, jobs, nudge=nudge)

    async def enqueue_follow_ups(
        self, queue: Queue, jobs: Sequence[Job], *, within: float
    ) -> list[EnqueueAnswer]:
        """Store jobs that follow others which have ended, each request repeated for at most
        `within` seconds. They may go half beyond the queue's bounds. Answers and raises as
        `enqueue`."""
        return await self._enqueues.follow(queue, jobs, within)

    async def enqueue_one(self, queue: Queue, job: Job) -> EnqueueAnswer:
        """Store one job. Raises QueueFull, IdempotencyMismatch where its idempotency key came
        before with another body, and KeyLimited."""
        return one_stored((await self.enqueue(queue, [job]))[0])

    async def turn(
        self, queue: Queue, request: TurnRequest, *, within: float | None = None
    ) -> TurnReply:
        """Settle, recover, promote, take tokens and claim, in one request, repeated for at most
        `within` seconds."""
        reply = await self._calls.send("turn", queue, request.args(queue), within=within)
        return read_reply(queue.name, request, reply.value)

    async def prolong(self, queue: Queue, leases: Sequence[str], lease_ms: int) -> None:
        """Give open leases a new end, outside of a turn."""
        if leases:
            await self._calls.run("prolong", queue, lease_ms, *leases)

    async def agenda(self) -> dict[str, float]:
        """Queue -> instant (ms) before which it has no work. One plain read, whatever their
        number."""
        reply = await self.rest.execute(
            ["ZRANGE", keys.agenda(self.prefix), 0, -1, "WITHSCORES"], "agenda"
        )
        return {name: float(instant) for name, instant in reply}  # upstash-redis makes the pairs

    async def latest_turn(self, queue: str) -> float:
        """The newest time (ms) of the store that a turn of this queue has seen. One plain read."""
        records = keys.part(self.prefix, queue, "records")
        return float(await self.rest.execute(["HGET", records, ":clock"], "sweep") or 0)

    async def find_work(self, parts: Mapping[str, Sequence[str]]) -> list[str]:
        """The queues of which any of these parts exists, whatever the agenda says. One plain read
        for all, and a search where that finds something: see store/find_work.py."""
        return await find_work(self._calls, parts)

    async def cancel(self, queue: Queue, job_id: str) -> str:
        """`cancelled` at once, `cancel_requested` (it runs), or the state in which it had ended."""
        (answer,) = await self._calls.run("cancel", queue, job_id, queue.completed.age_ms)
        if not answer:
            raise _not_found(queue, job_id)
        return str(STATES.get(answer, answer))

    async def redrive(self, queue: Queue, job_ids: Sequence[str]) -> list[bool]:
        """Dead letters back to work. Per id: True if it was dead (or parked) and waits now; False
        also where another job holds its deduplication name."""

        async def is_done(job_id: str) -> bool:
            view = await self.inspect(queue, job_id)
            return view.redrives > 0 and view.state not in ("dead", "parked")

        return await apply_in_pages(self._calls, "redrive", queue, [], job_ids, is_done)

    async def delete(
        self, queue: Queue, job_ids: Sequence[str], state: EndState | None = None
    ) -> list[bool]:
        """Delete ended jobs for good, with a state only those in it. Per id: True if deleted."""
        code = "-" if state is None else STATE_CODES[state]

        async def is_done(job_id: str) -> bool:
            try:
                await self.inspect(queue, job_id)
            except JobNotFound:
                return True
            return False

        return await apply_in_pages(self._calls, "delete", queue, [code], job_ids, is_done)

    async def pause(self, queue: Queue, *, paused: bool) -> bool:
        """Stop or allow claiming; answers whether it was paused before."""
        reply = await self._calls.send("pause", queue, [int(paused)])
        before = bool(reply.value[0] == "1")
        return (not paused) if reply.repeated and before == paused else before

    async def purge(self, queue: Queue) -> int:
        """Delete all waiting and delayed jobs, a page a request; answers how many went."""
        total, full = 0, True
        while full:
            gone, full = await self.purge_page(queue)
            total += gone
        return total

    async def purge_page(self, queue: Queue) -> tuple[int, bool]:
        """Delete a page of the waiting and delayed jobs: how many; whether there may be more."""
        (gone,) = await self._calls.run("purge", queue, PAGE, token_hex(6))
        return int(gone), int(gone) == PAGE

    async def erase(self, queue: Queue, key: str, *, dry_run: bool = False) -> EraseReport:
        """Delete all jobs whose option `key` this is. See store/erase.py."""
        from .erase import erase  # noqa: PLC0415 - it uses this class

        return await erase(self, queue, key, dry_run=dry_run)

    async def reconcile(self, queue: Queue, job_ids: Sequence[str], *, repair: bool) -> list[str]:
        """Compare these jobs' records with their places. Per id: `sound`, `requeued`, `restored` or
        `removed`; without `repair` only reported. At most some 20 ids: each is searched."""
        (codes,) = await self._calls.run("reconcile", queue, int(repair), *job_ids)
        return [REPAIRS[code] for code in codes]

    async def recount(self, queue: Queue, stored: UsageByShard, counted: UsageByShard) -> bool:
        """Replace the queue's count of jobs and bytes; False where it is not `stored` any more."""
        texts = write_usage(stored), write_usage(counted)
        (done,) = await self._calls.run("recount", queue, *texts)
        return bool(done == "1")

    async def take_nudge(
        self, queue: Queue, window_ms: int, *, within: float | None = None
    ) -> bool:
        """Take the right to call a drain for jobs that wait. False where none can start, or where
        one was called within the window. `within`: seconds to repeat the request."""
        (taken,) = await self._calls.run("nudge", queue, window_ms, within=within)
        return bool(taken == "1")

    async def close(self) -> None:
        """Close the client's connections."""
        if self.nudges:
            await self.nudges.close()
        await self.rest.close()

    def abort(self) -> None:
        """Close the client's connections without their event loop, which is closed."""
        self.rest.abort()


def _not_found(queue: Queue, job_id: str) -> JobNotFound:
    return job_not_found(public_id(job_id, queue.name))
