"""Turns without a drain: an owner claims and settles by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from shared import Queue
from shared.jobs.claim import Claim
from shared.jobs.job import Job
from shared.jobs.outcome import Kind
from shared.store import Store, TurnReply, TurnRequest
from shared.store.turn import Settle
from shared.testing import FakeClock

LEASE_MS = 30_000


def jobs(*ids: str, **options: Any) -> list[Job]:
    """One job an id, with the options of `Job`."""
    return [Job("t", "{}", id=job_id, **options) for job_id in ids]


def numbered(n: int, prefix: str = "j", **options: Any) -> list[Job]:
    """`n` jobs: j000, j001, …"""
    return jobs(*(f"{prefix}{i:03}" for i in range(n)), **options)


def settle(claim: Claim, kind: Kind = "done", delay_ms: int = 0, history: str = "") -> Settle:
    return Settle(claim.lease, kind, delay_ms, history)


def ids(claims: Iterable[Claim]) -> list[str]:
    return [claim.id for claim in claims]


async def make_exclusive(store: Store, queue: Queue, clock: FakeClock, want: int = 10) -> None:
    """All that waits is claimed by one dead function after another: the jobs run exclusively from
    now on."""
    for name in ("dead1", "dead2"):
        await Owner(store, queue, name).turn(want, exclusive=False)
        clock.advance(LEASE_MS / 1000)
    await Owner(store, queue, "recovers").turn(0)


class Owner:
    """One function that holds leases. Its turns are numbered by themselves; `again` repeats the
    last one, as a client does whose reply was lost."""

    def __init__(
        self, store: Store, queue: Queue, name: str = "o1", lease_ms: int = LEASE_MS
    ) -> None:
        self.name, self.lease_ms = name, lease_ms
        self._store, self._queue = store, queue
        self._seqs = itertools.count(1)
        self.last: TurnRequest | None = None

    def ask(
        self,
        want: int = 10,
        settles: Sequence[Settle] = (),
        *,
        exclusive: bool = True,
        **options: Any,
    ) -> TurnRequest:
        return TurnRequest(
            self.name,
            next(self._seqs),
            want,
            self.lease_ms,
            settles,
            exclusive=exclusive,
            **options,
        )

    async def turn(
        self, want: int = 10, settles: Sequence[Settle] = (), **options: Any
    ) -> TurnReply:
        """A turn of its own number."""
        self.last = self.ask(want, settles, **options)
        return await self._store.turn(self._queue, self.last)

    async def again(self, ask: TurnRequest | None = None) -> TurnReply:
        """The last turn (or an older one) once more."""
        repeated = ask or self.last
        assert repeated is not None
        return await self._store.turn(self._queue, repeated)

    async def claim(self, want: int = 10, **options: Any) -> list[Claim]:
        return (await self.turn(want, **options)).claims

    async def finish(self, *claims: Claim, kind: Kind = "done", delay_ms: int = 0) -> TurnReply:
        """Settle these and claim nothing."""
        return await self.turn(0, [settle(claim, kind, delay_ms) for claim in claims])
