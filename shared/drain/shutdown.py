"""SIGTERM for drains: those under way claim nothing more, settle, and give the rest back.

The platform kills the process soon after (Vercel 500 ms, Lambda 300 to 2,000 ms), so this is a
courtesy to the jobs that run; correctness comes from their leases.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .drain import Drain
from .report import StopReason


class RunningDrains:
    """The drains under way in one deployment. While there is one, SIGTERM stops them all and then
    goes on to the handler that was installed before (a web server ends its connections, too)."""

    def __init__(self) -> None:
        self._stops: dict[Drain, Callable[[], object]] = {}
        self._before: Any = None
        self._stopped: StopReason | None = None

    @contextmanager
    def watch(self, drain: Drain) -> Generator[None, None, None]:
        """Have `drain` stopped by a SIGTERM, or by `stop`, inside the block."""
        if self._stopped is not None:
            drain.stop(self._stopped)
        loop = asyncio.get_running_loop()
        self._stops[drain] = lambda: loop.call_soon_threadsafe(drain.stop)
        # Only the main thread may install a handler, and put the old one back.
        main = threading.current_thread() is threading.main_thread()
        if main and self._before is None:
            self._before = signal.signal(signal.SIGTERM, self._on_sigterm) or signal.SIG_DFL
        try:
            yield
        finally:
            del self._stops[drain]
            if main and not self._stops and self._before is not None:
                signal.signal(signal.SIGTERM, self._before)
                self._before = None

    def stop(self, reason: StopReason = StopReason.SHUTDOWN) -> None:
        """Stop all of them, and those that begin later. To be called in their event loop."""
        self._stopped = reason
        for drain in list(self._stops):
            drain.stop(reason)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        for stop in list(self._stops.values()):
            stop()
        if callable(self._before):
            self._before(number, frame)
