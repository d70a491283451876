"""A function as a process of its own: connects to a store over loopback, drains two queues, exits.

`python function.py URL TOKEN BUDGET`. Prints "began ID" as each handler begins, and its report at
the end. What a job does is its payload's `do`: work, hang, exit, or segfault.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys

from pydantic import BaseModel

from shared import App, JobContext
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.store.client.rest import Rest


class Deed(BaseModel):
    """What a job is to do."""

    do: str = "work"


app = App("process")
queue = app.queue("q", timeout=20)
other = app.queue("other", timeout=20)


async def perform(payload: Deed, job: JobContext) -> None:
    say(f"began {job.id.partition('.')[0]}")
    if payload.do == "hang":
        await asyncio.Event().wait()
    if payload.do == "exit":
        os._exit(7)
    if payload.do == "segfault":
        ctypes.string_at(0)


handle, handle_other = queue.job("t")(perform), other.job("t")(perform)


def say(line: str) -> None:
    """At once and whole, also when the process ends the next moment."""
    os.write(1, f"{line}\n".encode())


async def main(url: str, token: str, budget: float) -> None:
    store = Store(Rest(url, token), "test")
    report = await Drain(store, Registry([app]), Budget.of(budget), patience=0).run([queue, other])
    say(f"report {report.as_dict()}")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
