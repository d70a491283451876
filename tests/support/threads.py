"""Threads in virtual time: a plain `def` handler that takes seconds of the test's clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from shared.testing import FakeClock, VirtualLoop

T = TypeVar("T")
REAL_SECONDS = 30.0
"""A thread that waits longer than this of real time has been forgotten by its test."""


class ThreadedLoop(VirtualLoop):
    """A virtual loop whose executor threads can sleep in virtual time too."""

    def sleep_in_thread(self, seconds: float) -> None:
        """For handlers in threads: the clock stands still except while all of them sleep."""
        done = threading.Event()

        def begin() -> None:
            self._outside -= 1
            self.call_later(seconds, end)

        def end() -> None:
            self._outside += 1
            done.set()

        self.call_soon_threadsafe(begin)
        if not done.wait(REAL_SECONDS):
            raise TimeoutError("the virtual loop did not go on")


def run_threaded(main: Coroutine[Any, Any, T], clock: FakeClock) -> T:
    """`run_virtually`, on a loop whose threads can sleep."""
    with asyncio.Runner(loop_factory=lambda: ThreadedLoop(clock)) as runner:
        return runner.run(main)
