"""BullMQ's Python package."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop  # type: ignore[import-not-found,unused-ignore]
from bullmq import Queue, Worker  # type: ignore[import-not-found]

from tests.bench.peers.common import ASYNC_HANDLERS, QUEUE, Ask, Watch, main, payload


async def enqueue(ask: Ask, watch: Watch) -> None:
    queue = Queue(QUEUE, {"connection": ask.url})
    await queue.client.ping()
    watch.start()
    if ask.bulk:
        for at in range(0, ask.n, 500):
            size = min(500, ask.n - at)
            await queue.addBulk([{"name": ask.handler, "data": payload()} for _ in range(size)])
        watch.stop(ask.n)
    for _ in range(ask.n):
        await queue.add(ask.handler, payload())
        if ask.gap:
            await asyncio.sleep(ask.gap)
    watch.stop(ask.n)


async def _process(job: Any, _token: str) -> None:
    await ASYNC_HANDLERS[job.name](job.data)


async def work(ask: Ask) -> None:
    worker = Worker(
        QUEUE, _process, {"connection": ask.url, "concurrency": ask.concurrency, "autorun": False}
    )
    await worker.run()


if __name__ == "__main__":
    main(enqueue, work, run=uvloop.run)
