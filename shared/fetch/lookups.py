"""Look-ups of names, in threads of their own: a slow name server takes none of the threads that
`asyncio.to_thread` has for everything else."""

from __future__ import annotations

import asyncio
import os
import queue
import socket
import threading
from concurrent.futures import Future
from functools import lru_cache

MOST_THREADS = 16
"""Look-ups under way in one process. The resolver can't be stopped, so a name without an answer
holds its thread for as long as the system waits."""
MOST_WAITING = 1000
"""Look-ups that wait for a thread, those that are no longer awaited included."""


async def look_up(host: str) -> list[str]:
    """Every IP address of a host, in the order of the resolver. Raises OSError, UnicodeError. A
    caller that stops waiting leaves the thread to the resolver."""
    return await asyncio.wrap_future(_threads(os.getpid()).submit(host))


class LookupThreads:
    """Up to MOST_THREADS threads, started on demand. They are daemons: a process ends without
    them."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[str, Future[list[str]]]] = queue.SimpleQueue()
        self._idle, self._started = threading.Semaphore(0), 0
        self._lock = threading.Lock()  # loops run in threads

    def submit(self, host: str) -> Future[list[str]]:
        """The addresses of a host. Raises OSError where too many look-ups wait."""
        if self._work.qsize() >= MOST_WAITING:
            raise OSError("too many look-ups wait for an answer")
        future: Future[list[str]] = Future()
        self._work.put((host, future))
        if not self._idle.acquire(blocking=False):
            self._start()
        return future

    def _start(self) -> None:
        with self._lock:
            if self._started == MOST_THREADS:
                return
            self._started += 1
        threading.Thread(target=self._run, name="look-up", daemon=True).start()

    def _run(self) -> None:
        while True:
            host, future = self._work.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(_addresses(host))
                except BaseException as error:  # noqa: BLE001 - it belongs to the code that awaits the future
                    future.set_exception(error)
            del future
            self._idle.release()


def _addresses(host: str) -> list[str]:
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


@lru_cache(maxsize=1)
def _threads(_process: int) -> LookupThreads:
    # By process: one that was forked has the object, but none of its threads.
    return LookupThreads()
