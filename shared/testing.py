"""What the tests of an application need: a store of their own, a clock that they move, a network
that fails on demand, and a job run from enqueue to its end. Nothing deployed imports this.

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, import_csv, CsvImport(source="trades.csv"), clock=clock)
        assert view.state == "completed"
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager, nullcontext
from email.utils import formatdate
from enum import Enum
from typing import Any, TypeVar, TypeVarTuple, Unpack

import httpx
from pydantic import BaseModel

from .budget import Budget
from .clock import Clock
from .connect import use_store
from .drain import Drain
from .embedded import open_embedded
from .embedded.protocol import UpstashProtocol
from .embedded.transport import EmbeddedTransport
from .queue import JobType, Registry
from .store import Store
from .store.rest import Rest
from .store.scripts import names, script
from .store.views import JobView

TOKEN = "a-token-of-tests"  # noqa: S105 - it opens a store that lives as long as a test
MOST_DRAINS = 200
WINDOW = 900.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Wrap = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]


class FakeClock:
    """Time that stands still until it is told to go on. `sleep` returns at once and takes the
    clock with it; inside `run_virtually` it waits for its turn, with everything else that waits."""

    def __init__(self, epoch_ms: int = 1_800_000_000_000) -> None:
        self._start = epoch_ms
        self._micros = 0

    def monotonic(self) -> float:
        return self._micros / 1_000_000

    def epoch_ms(self) -> int:
        return self._start + self._micros // 1000

    async def sleep(self, seconds: float) -> None:
        if isinstance(asyncio.get_running_loop(), VirtualLoop):
            await asyncio.sleep(seconds)
            return
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        self._micros += max(0, round(seconds * 1_000_000))

    def step(self, seconds: float) -> None:
        """Set the time of day forward or back, as an administrator does; no time passes."""
        self._start += round(seconds * 1000)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a `FakeClock`: when all that is left is to wait, the clock goes on by
    itself. What runs outside of it (a request to the store, a thread) takes no time."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._outside = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._clock.monotonic()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Until it is left, the clock stands still: something real is under way."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def let_pass(self, seconds: float) -> bool:
        """Move the clock, or say that something real must be waited for."""
        if self._outside:
            return False
        self._clock.advance(seconds + 0.000_001)  # timers are due a hair after their time
        return True

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._outside += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._back)
        return future

    def _back(self, _future: asyncio.Future[Any]) -> None:
        self._outside -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is not None and self._loop.let_pass(timeout):
            return []
        return super().select(None)


@contextmanager
def standing_still() -> Iterator[None]:
    """What is awaited inside is real and takes no virtual time."""
    loop = asyncio.get_running_loop()
    with loop.outside() if isinstance(loop, VirtualLoop) else nullcontext():
        yield


def run_virtually(main: Coroutine[Any, Any, T], clock: FakeClock) -> T:
    """Run `main` in virtual time: hours of retries and rate limits take moments, and the same ones
    each time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main)


class Fate(Enum):
    """What becomes of one request to the store."""

    DELIVERED = "delivered"
    LOST_BEFORE = "the connection fails; nothing is sent"
    LOST_AFTER = "executed; the reply is dropped"
    TWICE = "executed twice at once; one reply"
    ECHO = "delivered, and a copy arrives after the next request"
    THROTTLED = "429 with Retry-After: 1; not executed"
    BAD_GATEWAY = "executed; a proxy answers 502 with HTML"
    TRUNCATED = "executed; half of the reply arrives"
    GARBAGE = "executed; the reply is 200 and no JSON"


FAULTS: tuple[Fate, ...] = tuple(fate for fate in Fate if fate is not Fate.DELIVERED)


class LossyTransport(httpx.AsyncBaseTransport):
    """Hands requests to `inner`, each with a fate: the next of `fates`, and when they are used up,
    delivered. `happened` keeps them in order."""

    def __init__(self, inner: httpx.AsyncBaseTransport, fates: Iterable[Fate] = ()) -> None:
        self.happened: list[Fate] = []
        self._inner = inner
        self._fates = iter(fates)
        self._echoes: deque[httpx.Request] = deque()

    @staticmethod
    def drawn(seed: int, odds: Mapping[Fate, float]) -> Iterator[Fate]:
        """Fates for ever with these odds; the rest is delivered. A seed gives one story."""
        rng = random.Random(seed)  # noqa: S311 - a story, not a secret
        fates, weights = [*odds, Fate.DELIVERED], [*odds.values(), 1.0 - sum(odds.values())]
        while True:
            yield rng.choices(fates, weights)[0]

    def script(self, *fates: Fate) -> None:
        """The fates of the next requests."""
        self._fates = iter(fates)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = next(self._fates, Fate.DELIVERED)
        self.happened.append(fate)
        match fate:
            case Fate.LOST_BEFORE:
                raise httpx.ConnectError("lost before it was sent", request=request)
            case Fate.THROTTLED:
                return httpx.Response(
                    429, headers={"retry-after": "1"}, json={"error": "ERR rate limit"}
                )
        echoes = list(self._echoes)
        self._echoes.clear()
        response = await self._inner.handle_async_request(request)
        if fate is Fate.TWICE:
            await self._inner.handle_async_request(request)
        for echo in echoes:
            await self._inner.handle_async_request(echo)
        if fate is Fate.ECHO:
            self._echoes.append(request)
        return _arrived(fate, request, response)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _arrived(fate: Fate, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    match fate:
        case Fate.LOST_AFTER:
            raise httpx.ReadError("the reply was lost", request=request)
        case Fate.BAD_GATEWAY:
            return httpx.Response(502, html="<html><h1>502 Bad Gateway</h1></html>")
        case Fate.TRUNCATED:
            return httpx.Response(200, content=response.content[: len(response.content) // 2])
        case Fate.GARBAGE:
            return httpx.Response(200, content=b"\x00\xffnot json")
    return response


class _StoreTransport(httpx.AsyncBaseTransport):
    """The way to an embedded store: its Date header tells the fake time, and waiting for it takes
    none."""

    def __init__(self, protocol: UpstashProtocol, clock: FakeClock | None) -> None:
        self._inner = EmbeddedTransport(protocol)
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with standing_still():
            response = await self._inner.handle_async_request(request)
        if self._clock is not None:
            response.headers["date"] = formatdate(self._clock.epoch_ms() / 1000, usegmt=True)
        return response


def store_on(
    protocol: UpstashProtocol,
    *,
    clock: FakeClock | None = None,
    wrap: Wrap | None = None,
    prefix: str = "test",
    machine: Clock | None = None,
) -> Store:
    """A client of an open embedded store. `wrap` puts a transport (LossyTransport) in between;
    `machine` is the client's own clock where it differs from the store's."""
    transport: httpx.AsyncBaseTransport = _StoreTransport(protocol, clock)
    if wrap is not None:
        transport = wrap(transport)
    rest = Rest("http://embedded.localhost", TOKEN, transport=transport, clock=machine or clock)
    return Store(rest, prefix)


def known_scripts() -> set[str]:
    """SHA-1s of Tidegate's scripts, all that fakeredis may run."""
    return {script(name).sha for name in names()}


@asynccontextmanager
async def embedded_store(
    *, clock: FakeClock | None = None, wrap: Wrap | None = None, prefix: str = "test"
) -> AsyncIterator[Store]:
    """An empty store that ends with the block, under the strict guard. `job_type.enqueue(…)` uses
    it too."""
    embedded = await open_embedded(
        volatile=True,
        token=TOKEN,
        strict=True,
        clock=clock.epoch_ms if clock else None,
        allowed_scripts=known_scripts(),
    )
    store = store_on(embedded.protocol, clock=clock, wrap=wrap, prefix=prefix)
    use_store(store)
    try:
        yield store
    finally:
        await store.close()
        await embedded.close()


async def run_job(
    store: Store, job_type: JobType[Any], payload: BaseModel, *, clock: FakeClock, **options: Any
) -> JobView:
    """Enqueue one job and drain its queue, retries and waits included, until it can go no further:
    ended, parked, or paused. `view.tail` has its result and its errors."""
    queue = job_type.queue
    answer = (await store.enqueue(queue, [job_type.job(payload, **options)]))[0]
    job_id = answer.id.partition(".")[0]
    for _ in range(MOST_DRAINS):
        await Drain(store, Registry([]), Budget.of(WINDOW, clock=clock)).run([queue])
        view = await store.inspect(queue, job_id)
        if view.state not in ("waiting", "delayed") or view.paused:
            break
        clock.advance(max(1, view.at_ms - view.now_ms) / 1000)
    return view
