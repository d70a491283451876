"""Enqueues of code that has no event loop: plain `def` handlers, Flask, Django."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from contextvars import ContextVar
from typing import Any, TypeVar

from ..errors import UnknownOutcome

T = TypeVar("T")
CHECK_SECONDS = 1.0
"""How often a blocked thread checks that the event loop it waits for still runs."""

_thread_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar(
    "tidegate_thread_loop", default=None
)


def serve_threads() -> None:
    """From now on `run_blocking` in threads of this context uses the running event loop, so that a
    handler's thread enqueues through its drain's own store."""
    _thread_loop.set(asyncio.get_running_loop())


def run_blocking(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine function, run in the event loop that serves this thread while the
    thread waits. Raises RuntimeError in a thread that runs an event loop itself."""
    if _is_loop_thread():
        raise RuntimeError(
            "enqueue_sync would block this thread's event loop: await enqueue(...) instead"
        )
    loop = _thread_loop.get()
    if loop is None or not loop.is_running():
        loop = _background.loop()
    future = asyncio.run_coroutine_threadsafe(function(), loop)
    try:
        while not wait({future}, timeout=CHECK_SECONDS).done:
            if not loop.is_running():
                raise UnknownOutcome("the event loop ended before the store answered")
        return future.result()
    finally:
        future.cancel()  # without effect on one that is done


def _is_loop_thread() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class BackgroundLoop:
    """One event loop in a daemon thread, started when it is first used."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start another one when next used: a forked process has no threads of its parent."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="tidegate-enqueue", daemon=True
                ).start()
            return self._loop


_background = BackgroundLoop()
if hasattr(os, "register_at_fork"):  # not on Windows, which can't fork
    os.register_at_fork(after_in_child=_background.reset)
