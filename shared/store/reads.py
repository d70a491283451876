"""Plain reads of a store, beside the verbs of `Store`: lists of jobs, and cancel requests."""

from __future__ import annotations

from typing import Literal

from ..declare.queue import Queue
from . import keys
from .client.rest import Rest
from .scripts import Calls
from .views import ListedJob, read_listed

State = Literal["waiting", "delayed", "active", "parked", "completed", "cancelled", "dead"]


class Reads:
    """The base of `Store`. Raises StoreError."""

    rest: Rest
    prefix: str
    _calls: Calls

    async def list_jobs(
        self, queue: Queue, state: State, *, first: int = 0, most: int = 50
    ) -> list[ListedJob]:
        """Jobs in one state from a position on, without their payloads: waiting ones in the order
        of their claims, ended ones newest first, others by their instants."""
        reply = await self._calls.run("list", queue, state, first, most)
        return [read_listed(queue, state, reply[i : i + 4]) for i in range(0, len(reply), 4)]

    async def cancel_requests(self, queue: Queue) -> frozenset[str]:
        """The ids of active jobs whose cancellation is requested. One plain read."""
        records = keys.part(self.prefix, queue.name, "records")
        text = await self.rest.execute(["HGET", records, ":cancel"], "cancel_requests", within=1.0)
        return frozenset(str(text or "").split())
