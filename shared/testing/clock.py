"""Virtual time: a clock that a test moves, and an event loop that moves it by itself."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, TypeVar, TypeVarTuple, Unpack

from ..checks import check_type, checked, require

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
YEAR_10000_MS = 253_402_300_800_000


class FakeClock:
    """A clock that stands still until it is moved. `sleep` moves it and returns at once; inside
    `run_virtually`, `sleep` waits in the virtual loop with all other waits."""

    @checked
    def __init__(self, epoch_ms: int = 1_800_000_000_000) -> None:
        require(0 <= epoch_ms < YEAR_10000_MS, f"FakeClock: epoch_ms={epoch_ms}: 1970 to 9999")
        self._start = epoch_ms
        self._micros = 0

    @classmethod
    @checked
    def at(cls, instant: datetime) -> FakeClock:
        """A clock that stands at this instant. Raises ValueError where it has no time zone."""
        return cls(epoch_ms(instant))

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
        """Move the clock forward; timers see the time pass."""
        self._micros += max(0, round(seconds * 1_000_000))

    @checked
    def advance_to(self, instant: datetime) -> None:
        """Move the clock forward to this instant. Raises ValueError where that has no time zone, or
        is past."""
        ahead = epoch_ms(instant) - self.epoch_ms()
        if ahead < 0:
            raise ValueError(f"{instant} is past: a clock moves forward only (`step` goes back)")
        self.advance(ahead / 1000)

    def step(self, seconds: float) -> None:
        """Change the time of day, as an administrator does. No time passes for timers."""
        self._start += round(seconds * 1000)


def epoch_ms(instant: datetime) -> int:
    """An instant as milliseconds of Unix time. Raises ValueError where it has no time zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone; write datetime(…, tzinfo=UTC)")
    return round(instant.timestamp() * 1000)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a `FakeClock`: when every task waits for a timer, the clock jumps to the
    first of them. Work outside the loop (a request to the store, a thread) takes no time."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._outside = 0
        super().__init__(_Selector(self))

    @property
    def clock(self) -> FakeClock:
        """The clock that it moves."""
        return self._clock

    def time(self) -> float:
        return self._clock.monotonic()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Stop the clock for the length of the block, in which real work is under way."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def skip(self, seconds: float) -> bool:
        """Move the clock. False, without a move, if real work is under way."""
        if self._outside:
            return False
        self._clock.advance(seconds + 0.000_001)  # asyncio runs timers just after their time
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
        if timeout is not None and self._loop.skip(timeout):
            return []
        return super().select(None)


@contextmanager
def standing_still() -> Iterator[None]:
    """Stop virtual time for the length of the block: its awaits are real."""
    loop = asyncio.get_running_loop()
    with loop.outside() if isinstance(loop, VirtualLoop) else nullcontext():
        yield


def run_virtually(main: Coroutine[Any, Any, T], clock: FakeClock) -> T:
    """Run `main` in virtual time: hours of retries and rate limits take a moment, with the same
    timing in every run."""
    check_type(clock, FakeClock, "run_virtually: clock")
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main)
