"""Enqueues of threads: plain `def` handlers, Flask, Django. Whatever way a handler's thread
enqueues, it happens in the event loop of its drain, through the drain's own store.

asyncio is imported where it is used: a declaration and `tidegate --help` need no event loop.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import UnknownOutcome

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
CHECK_SECONDS = 1.0
"""How often a blocked thread checks that the event loop it waits for still runs."""

_thread_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar(
    "tidegate_thread_loop", default=None
)


def serve_threads() -> None:
    """From now on threads of this context enqueue in the running event loop."""
    import asyncio  # noqa: PLC0415

    _thread_loop.set(asyncio.get_running_loop())


async def run_in_drain(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine function. A handler's thread that runs an event loop of its own has
    it run in its drain's."""
    import asyncio  # noqa: PLC0415

    loop = _serving_loop()
    if loop is None or loop is asyncio.get_running_loop():
        return await function()
    future = asyncio.run_coroutine_threadsafe(function(), loop)
    try:
        result = asyncio.wrap_future(future)
        while not (await asyncio.wait({result}, timeout=CHECK_SECONDS))[0]:
            _require_running(loop)
        return await result
    finally:
        future.cancel()  # without effect on one that is done


def run_blocking(function: Callable[[], Coroutine[Any, Any, T]], name: str) -> T:
    """The result of the coroutine function of this name, run in the drain's event loop or, in
    threads of no handler, in a background one, while this thread waits. Raises RuntimeError in a
    thread that runs an event loop itself."""
    import asyncio  # noqa: PLC0415
    from concurrent.futures import wait  # noqa: PLC0415

    if _is_loop_thread():
        raise RuntimeError(
            f"{name}_sync would block this thread's event loop: await {name}(...) instead"
        )
    loop = _serving_loop() or _background.loop()
    future = asyncio.run_coroutine_threadsafe(function(), loop)
    try:
        while not wait({future}, timeout=CHECK_SECONDS).done:
            _require_running(loop)
        return future.result()
    finally:
        future.cancel()  # without effect on one that is done


def _serving_loop() -> asyncio.AbstractEventLoop | None:
    loop = _thread_loop.get()
    return loop if loop is not None and loop.is_running() else None


def _require_running(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_running():
        raise UnknownOutcome("the event loop ended before the store answered")


def _is_loop_thread() -> bool:
    import asyncio  # noqa: PLC0415

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
        import asyncio  # noqa: PLC0415

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
