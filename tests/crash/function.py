"""Drains as processes: a zygote that forks one on demand, each to be killed at any instant.

`python -m tests.crash.function SOCKET LEDGER CLOCK`. Commands on its input: "drain BUDGET" (answers
the child's pid), "wait PID" (answers how it ended). Handlers write to the ledger with fsync:
"began ID FENCE PID ATTEMPT" and "done …". CLOCK is a file with the milliseconds by which the
store's clock is ahead, so that leases end without a wait.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel

from shared import App, JobContext, Retention
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.drain.shutdown import RunningDrains
from shared.embedded.engine import RespEngine
from shared.embedded.protocol import UpstashProtocol
from shared.store import Store
from shared.testing import TOKEN, known_scripts, store_on

LONGEST_MS = 4.0


class Step(BaseModel):
    """A job that waits so many milliseconds and then is done."""

    ms: float = 0.0


app = App("crash")
queue = app.queue("q", concurrency=8, timeout=5, completed=Retention(count=1_000_000))


@queue.job("step")
async def step(payload: Step, job: JobContext) -> None:
    note("began", job)
    await asyncio.sleep(payload.ms / 1000)
    note("done", job)


def note(word: str, job: JobContext) -> None:
    """One line, whole, on the disk before the handler goes on."""
    line = f"{word} {job.id.partition('.')[0]} {job.fence} {os.getpid()} {job.attempt}\n"
    ledger = os.open(_ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(ledger, line.encode())
    os.fsync(ledger)
    os.close(ledger)


_ledger = sys.argv[2] if len(sys.argv) > 2 else os.devnull


def ahead(clock: Path) -> int:
    return time.time_ns() // 1_000_000 + int(clock.read_text() or 0)


@asynccontextmanager
async def open_store(locate: Callable[[], Path], clock: Path) -> AsyncIterator[Store]:
    """The store that parent and children share: one server, one clock."""
    engine = RespEngine(locate, name="valkey", volatile=False)
    protocol = UpstashProtocol(
        engine,
        token=TOKEN,
        strict=True,
        clock=lambda: ahead(clock),
        allowed_scripts=known_scripts(),
    )
    store = store_on(protocol, prefix="crash")
    try:
        yield store
    finally:
        await store.close()
        await engine.close()


async def drain(socket: Path, clock: Path, budget: float) -> None:
    async with open_store(lambda: socket, clock) as store:
        drain = Drain(store, Registry([app]), Budget.of(budget), patience=0, batch=8)
        with RunningDrains().watch(drain):
            report = await drain.run([queue])
        os._exit(0 if report.error is None else 3)


def main(socket: Path, clock: Path) -> None:
    for line in sys.stdin:
        word, number = line.split()
        if word == "wait":
            _pid, status = os.waitpid(int(number), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        child = os.fork()
        if child == 0:
            random.seed(os.getpid())
            asyncio.run(drain(socket, clock, float(number)))
        print(child, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[3]))
