"""Threads for plain `def` handlers.

A thread can't be killed, so its slot stays taken until it ends, and no more `def` jobs are claimed
than slots are free. The threads are daemons: a process ends when its drain does.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from .slots import Slots

P = ParamSpec("P")
R = TypeVar("R")


class HandlerThreads(Slots, Executor):
    """An executor with a slot for each thread. Belongs to one event loop."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run `fn` in a thread. It starts at once: its slot was reserved."""
        future: Future[R] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:  # noqa: BLE001 - it belongs to the code that awaits the future
                    future.set_exception(error)

        self._work.put(work)
        if not self._idle.acquire(blocking=False):
            self._threads += 1
            threading.Thread(target=self._run, name="handler", daemon=True).start()
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's signature
        """Let each thread end after its handler. Waits for none."""
        for _ in range(self._threads):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # a handler's objects must not live until the next one comes
            self._idle.release()


def call_contained(function: Callable[..., Any], *args: Any) -> tuple[bool, Any]:
    """(True, result) or (False, error). A future can't carry every BaseException: StopIteration
    hangs it, SystemExit ends the loop."""
    try:
        return True, function(*args)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, in the loop's thread
        return False, error
