"""A process that drains one plain `def` job which blocks its thread for long.

`python -m tests.support.blocking URL TOKEN`. Prints the drain's report.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from pydantic import BaseModel

from shared import App
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.store.client.rest import Rest


class EmptyPayload(BaseModel):
    """No fields."""


app = App("blocking")
queue = app.queue("q")
BUDGET = 1.0
LONG = 40.0


@queue.job("t")
def handle(payload: EmptyPayload) -> None:
    threading.Event().wait(LONG)


async def main(url: str, token: str) -> None:
    store = Store(Rest(url, token), "test")
    report = await Drain(store, Registry([app]), Budget.of(BUDGET), patience=0).run([queue])
    os.write(1, f"{dict(report.outcomes)}\n".encode())
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
