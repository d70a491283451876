"""SAQ."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop  # type: ignore[import-not-found,unused-ignore]
from saq import Queue, Worker  # type: ignore[import-not-found]

from tests.bench.peers.common import ASYNC_HANDLERS, QUEUE, Ask, Watch, main
from tests.bench.peers.common import payload as fresh


async def enqueue(ask: Ask, watch: Watch) -> None:
    queue = Queue.from_url(ask.url, name=QUEUE)
    await queue.connect()
    watch.start()
    for _ in range(ask.n):
        await queue.enqueue(ask.handler, payload=fresh())
        if ask.gap:
            await asyncio.sleep(ask.gap)
    watch.stop(ask.n)


async def noop(_ctx: Any, *, payload: dict[str, Any]) -> None:
    await ASYNC_HANDLERS["noop"](payload)


async def io(_ctx: Any, *, payload: dict[str, Any]) -> None:
    await ASYNC_HANDLERS["io"](payload)


async def work(ask: Ask) -> None:
    queue = Queue.from_url(ask.url, name=QUEUE)
    worker = Worker(queue, [("noop", noop), ("io", io)], concurrency=ask.concurrency)
    await worker.start()


if __name__ == "__main__":
    main(enqueue, work, run=uvloop.run)
