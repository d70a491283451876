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


class Stopping:
    """Knows the drains under way in this process. While there is one, SIGTERM stops it, and then
    goes on to whoever listened before (a web server ends its connections, too)."""

    def __init__(self) -> None:
        self._stops: dict[Drain, Callable[[], object]] = {}
        self._before: Any = None

    @contextmanager
    def watch(self, drain: Drain) -> Generator[None, None, None]:
        """Have `drain` stopped by a SIGTERM that arrives inside the block."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may listen to signals
            return
        loop = asyncio.get_running_loop()
        self._stops[drain] = lambda: loop.call_soon_threadsafe(drain.stop)
        if len(self._stops) == 1:
            self._before = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            yield
        finally:
            del self._stops[drain]
            if not self._stops:
                signal.signal(signal.SIGTERM, self._before or signal.SIG_DFL)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        for stop in list(self._stops.values()):
            stop()
        if callable(self._before):
            self._before(number, frame)
