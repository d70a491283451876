"""The reads of a store, beside the verbs of `Store`: numbers of queues, and lists of jobs. Each of
them imports what reads its answer: drains and enqueues start without that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ..declare.queue import Queue
from ..encryption.keyring import Keyring
from ..errors import JobNotFound
from ..jobs.ids import public_id, split_id
from .client.rest import Rest
from .codec import State
from .scripts import Calls
from .survey import SurveyPage, read_survey

if TYPE_CHECKING:
    from .key_views import KeyPage
    from .queue_stats import QueueStats
    from .views import JobHeader, JobRecord, JobView, ListedJob

ListedState = Literal["dead", "completed", "cancelled", "parked"]
"""States whose jobs can be browsed."""
MOST_KEYS_READ = 1000
IDS_A_PAGE, RECORDS_A_PAGE = 1000, 200
"""Pages of reads by id: of ids alone, and of those that have to read whole records."""
STATUS_SECONDS = 1.5
"""The numbers of a queue are read for health checks, which want an answer soon, whatever it is."""


class Reads:
    """The base of `Store`. Raises StoreError."""

    rest: Rest
    prefix: str
    keyring: Keyring
    _calls: Calls

    async def inspect(self, queue: Queue, job_id: str, *, decrypt: bool = False) -> JobView:
        """One job as it stands, by its id within the queue or its public id. `decrypt`: with the
        payload, the result and the texts of errors of an encrypted one, for readers who may see
        them. Raises JobNotFound."""
        from .decrypt import decrypted
        from .views import read_view

        parts = split_id(job_id) if "." in job_id else (job_id, queue.name)
        if parts is None or parts[1] != queue.name:
            raise job_not_found(job_id[:80])
        job_id = parts[0]
        reply = await self._calls.run("inspect", queue, job_id)
        if not reply or reply[0] != "found":
            raise job_not_found(public_id(job_id, queue.name))
        view = read_view(queue, job_id, reply[1:])
        return decrypted(view, self.keyring) if decrypt else view

    async def headers(self, queue: Queue, job_ids: Sequence[str]) -> dict[str, JobHeader]:
        """Types and keys of jobs by their ids within the queue, without those that are gone: two
        commands for 200 of them."""
        from .views import read_headers

        headers: dict[str, JobHeader] = {}
        for at in range(0, len(job_ids), RECORDS_A_PAGE):
            page = job_ids[at : at + RECORDS_A_PAGE]
            headers |= read_headers(page, await self._calls.run("headers", queue, *page))
        return headers

    async def list_jobs(
        self, queue: Queue, state: State, *, first: int = 0, most: int = 50
    ) -> list[ListedJob]:
        """Jobs in one state from a position on, without their payloads: waiting ones in the order
        of their claims, ended ones newest first, others by their instants."""
        from .views import read_listed

        reply = await self._calls.run("list", queue, state, first, most)
        return [read_listed(queue, state, reply[i : i + 4]) for i in range(0, len(reply), 4)]

    async def survey(
        self, queue: Queue, part: str | int, cursor: str, *, key: str | None = None
    ) -> SurveyPage:
        """A page of ids: of one list or sorted set, or of the job records of one shard (by its
        number), with a `key` only of the jobs with this option. `cursor` is "0" at the beginning,
        and in the page after which nothing comes."""
        most = RECORDS_A_PAGE if isinstance(part, int) else IDS_A_PAGE
        wanted = () if key is None else (key,)
        reply = await self._calls.run("survey", queue, part, cursor, most, *wanted)
        return read_survey(part, reply)

    async def stats(self, queue: Queue) -> QueueStats:
        """Sizes, totals, limits and durations of one queue."""
        from .queue_stats import read_stats

        types = sorted(queue.types)
        reply = await self._calls.run("stats", queue, *types, within=STATUS_SECONDS)
        return read_stats(queue, types, reply)

    async def overview(self, queues: Sequence[Queue]) -> list[QueueStats]:
        """The same of several queues: a command each, and one for each part that holds jobs."""
        from .overview import read_overview

        by_name = await read_overview(self._calls, queues, within=STATUS_SECONDS)
        return [by_name.get(queue.name) or await self.stats(queue) for queue in queues]

    async def busiest_keys(self, queue: Queue, most: int) -> KeyPage:
        """The keys of a queue with most jobs that run or wait for their key. Of more than
        MOST_KEYS_READ keys with a state it reads those that a turn looks at next, and those that
        run jobs."""
        from .key_views import read_busiest

        reply = await self._calls.run("busiest", queue, MOST_KEYS_READ)
        return read_busiest(queue, reply, most)

    async def browse(
        self,
        queue: Queue,
        state: ListedState,
        *,
        newest: str = "+inf",
        skip: int = 0,
        most: int = 50,
    ) -> list[JobRecord]:
        """A page of ended (or parked) jobs without their payloads, newest first. The next page: the
        last one's instant as `newest`, and as `skip` how many of that instant were seen. Texts of
        encrypted jobs are left out (`decrypted` in store/decrypt.py)."""
        from .views import read_row

        reply = await self._calls.run("browse", queue, state, newest, skip, most)
        return [read_row(queue, *reply[i : i + 3]) for i in range(0, len(reply), 3)]


def job_not_found(job_id: str) -> JobNotFound:
    """The error of a public id without a job."""
    return JobNotFound(
        f"no job {job_id}: it never existed, its retention has ended, or it is archived"
    )
