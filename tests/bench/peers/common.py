"""What every Python system of the benchmark shares: what it is asked, its handlers, its clock.

Runs in the peers' own environments, so it imports nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NoReturn

QUEUE = "bench"
FILL = "x" * 165
"""Makes the payload 200 bytes of JSON."""
IO_SECONDS = 0.005


@dataclass(frozen=True)
class Ask:
    """What the harness wants of one process. `gap` paces an enqueue (seconds between two jobs);
    `nudge` and `key_locking` are Tidegate's."""

    url: str
    n: int = 1
    concurrency: int = 1
    handler: str = "noop"
    bulk: bool = False
    seconds: float = 60.0
    gap: float = 0.0
    packages: tuple[str, ...] = ()
    nudge: int = 0
    key_locking: bool = False


class Watch:
    """Times an enqueue: started when the connection stands, stopped with the last answer."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    def start(self) -> None:
        self.began = time.perf_counter()

    def stop(self, n: int) -> NoReturn:
        say({"n": n, "seconds": time.perf_counter() - self.began})


class Recorder:
    """Sees each handler begin and end; says what it saw when enough jobs or seconds have passed.

    The clock runs from the first handler's begin to the last one's end, so a worker's start and
    the settling of its last job cost it nothing.
    """

    def __init__(self, n: int, seconds: float) -> None:
        self.n, self.seconds = n, seconds
        self.count = 0
        self.first = 0.0
        self.first_epoch = 0.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def begin(self, payload: dict[str, Any]) -> None:
        if not self.first:
            self.first = time.perf_counter()
            self.first_epoch = time.time()
            threading.Timer(self.seconds, self.report).start()
        if len(self.waits) < 1000:
            self.waits.append(time.time() - payload["at"])

    def end(self) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.n:
                self.report()

    def report(self) -> NoReturn:
        say(
            {
                "n": self.count,
                "seconds": time.perf_counter() - self.first,
                "first": self.first_epoch,
                "waits": self.waits,
            }
        )


recorder = Recorder(1, 60.0)


def noop(payload: dict[str, Any]) -> None:
    recorder.begin(payload)
    recorder.end()


def io(payload: dict[str, Any]) -> None:
    recorder.begin(payload)
    time.sleep(IO_SECONDS)
    recorder.end()


async def anoop(payload: dict[str, Any]) -> None:
    recorder.begin(payload)
    recorder.end()


async def aio(payload: dict[str, Any]) -> None:
    recorder.begin(payload)
    await asyncio.sleep(IO_SECONDS)
    recorder.end()


HANDLERS = {"noop": noop, "io": io}
ASYNC_HANDLERS = {"noop": anoop, "io": aio}


def payload() -> dict[str, Any]:
    """200 bytes of JSON; `at` is when it was made."""
    return {"at": round(time.time(), 6), "text": FILL}


def say(answer: dict[str, Any]) -> NoReturn:
    """The process's one line for the harness, and its end: no shutdown is measured, none waited
    for."""
    os.write(1, (json.dumps(answer) + "\n").encode())
    os._exit(0)


def main(
    enqueue: Callable[[Ask, Watch], Any],
    work: Callable[[Ask], Any],
    *,
    run: Callable[[Any], Any] = asyncio.run,
) -> None:
    """`python -m … enqueue|work|version JSON`: does it and says one line of JSON."""
    verb, given = sys.argv[1], json.loads(sys.argv[2])
    ask = Ask(**given)
    if verb == "version":
        say({name: version(name) for name in ask.packages})
    recorder.__init__(ask.n, ask.seconds)  # type: ignore[misc]  # the module's one, renewed
    done = enqueue(ask, Watch()) if verb == "enqueue" else work(ask)
    if inspect.isawaitable(done):
        run(done)
