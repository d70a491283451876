"""A deployment in a test: one store, any number of functions that drain it, and a ledger of the
handlers that ran."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Self

import httpx

from shared import App, JobContext, Queue
from shared.clock import Clock
from shared.declare.app import Registry
from shared.declare.default_store import set_default_store
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.drain.report import Report
from shared.embedded.engine import Engine
from shared.embedded.limits import Limits
from shared.embedded.protocol import UpstashProtocol
from shared.store import Store
from shared.testing import TOKEN, FakeClock, Fate, LossyTransport, known_scripts, store_on
from tests.support.probe import Probe
from tests.support.threads import ThreadedLoop
from tests.support.values import Number


class Latency(httpx.AsyncBaseTransport):
    """Every request takes so long, half of it each way, on the clock of the test."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: Clock, seconds: float) -> None:
        self._inner, self._clock, self._half = inner, clock, seconds / 2

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._clock.sleep(self._half)
        response = await self._inner.handle_async_request(request)
        await self._clock.sleep(self._half)
        return response


Answer = tuple[int, dict[str, str]]


class AnsweringTransport(httpx.AsyncBaseTransport):
    """Answers the first requests itself: (status, body), or None where they go through."""

    def __init__(self, inner: httpx.AsyncBaseTransport, answers: Iterable[Answer | None]) -> None:
        self._inner, self._answers = inner, iter(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = next(self._answers, None)
        if answer is None:
            return await self._inner.handle_async_request(request)
        return httpx.Response(answer[0], json=answer[1])


class WatchingTransport(httpx.AsyncBaseTransport):
    """Records after each request how many jobs of queue "q" the store has handed out."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: World) -> None:
        self._inner, self._world = inner, world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        claimed = (await self._world.probe.totals()).get("claimed", 0)
        new = claimed - len(self._world.claims)
        self._world.claims += [self._world.clock.epoch_ms()] * new
        return response


class World:
    """`store` is the client of producers and assertions; each function has one of its own. As a
    context it makes `store` the default store, and closes every client at the end. `limits`: the
    store's, lowered."""

    def __init__(
        self, engine: Engine, clock: FakeClock, app: str = "world", limits: Limits | None = None
    ) -> None:
        self.engine, self.clock = engine, clock
        self.protocol = UpstashProtocol(
            engine,
            token=TOKEN,
            strict=True,
            clock=clock.epoch_ms,
            allowed_scripts=known_scripts(),
            limits=limits,
        )
        self.app = App(app)
        self.store = store_on(self.protocol, clock=clock)
        self.probe = Probe(engine)
        self.ran: list[str] = []
        """Ids in the order in which their handlers began."""
        self.starts: list[int] = []
        """Milliseconds at which they began."""
        self.claims: list[int] = []
        """Milliseconds at which the store took a token, or would have."""
        self.transports: list[LossyTransport] = []
        self._stores = [self.store]
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        set_default_store(lambda: self.store)
        return self

    async def __aexit__(self, *_error: object) -> None:
        for store in self._stores:
            await store.close()

    def queue(self, name: str = "q", *, seconds: float = 0.0, **options: Any) -> Queue:
        """A queue whose jobs of type "t" take so long and do nothing but be counted."""
        queue = self.app.queue(name, **options)

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            self.began(job)
            if seconds:
                await self.clock.sleep(seconds)

        return queue

    def began(self, job: JobContext) -> None:
        """For handlers: write the start into the ledger."""
        self.ran.append(job.id.partition(".")[0])
        self.starts.append(self.clock.epoch_ms())

    def client(
        self,
        fates: Iterable[Fate] = (),
        *,
        latency: float = 0.0,
        machine: Clock | None = None,
        answers: Iterable[Answer | None] = (),
    ) -> Store:
        """A store client of a function of its own; `transports[-1]` knows its requests' fates."""

        def wrap(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
            lossy = LossyTransport(
                AnsweringTransport(WatchingTransport(inner, self), answers), fates
            )
            self.transports.append(lossy)
            return Latency(lossy, self.clock, latency) if latency else lossy

        store = store_on(self.protocol, clock=self.clock, wrap=wrap, machine=machine)
        self._stores.append(store)
        return store

    def drain(
        self, store: Store | None = None, *, budget: float = 60.0, clock: Clock | None = None,
        **options: Any,
    ) -> Drain:  # fmt: skip
        """One invocation of a function."""
        window = Budget.of(budget, clock=clock or self.clock)
        return Drain(store or self.store, Registry([self.app]), window, **options)

    async def drained(self, *queues: Queue, **options: Any) -> Report:
        """Drain these queues once and report."""
        return await self.drain(**options).run(queues)

    def occupy(self, seconds: float) -> None:
        """For plain `def` handlers: take so long, in virtual time."""
        assert isinstance(self._loop, ThreadedLoop)
        self._loop.sleep_in_thread(seconds)

    async def enqueue(self, queue: Queue, n: int, **options: Any) -> list[str]:
        """`n` jobs of type "t"; their ids."""
        job_type: JobType[Any] = queue.types["t"]
        jobs = [job_type.job(Number(n=i), job_id=f"j{i:04}", **options) for i in range(n)]
        await self.store.enqueue(queue, jobs)
        return [job.id for job in jobs]
