"""Virtual time: a clock that stands still until it is moved, and an event loop that moves it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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
