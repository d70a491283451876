"""arq. Workers poll (every 0.5 s unless told otherwise); there is no call for many jobs at once."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop  # type: ignore[import-not-found,unused-ignore]
from arq import create_pool, func  # type: ignore[import-not-found]
from arq.connections import RedisSettings  # type: ignore[import-not-found]
from arq.worker import Worker  # type: ignore[import-not-found]

from tests.bench.peers.common import ASYNC_HANDLERS, Ask, Watch, main, payload


async def enqueue(ask: Ask, watch: Watch) -> None:
    redis = await create_pool(RedisSettings.from_dsn(ask.url))
    watch.start()
    for _ in range(ask.n):
        await redis.enqueue_job(ask.handler, payload())
        if ask.gap:
            await asyncio.sleep(ask.gap)
    watch.stop(ask.n)


async def noop(_ctx: Any, given: dict[str, Any]) -> None:
    await ASYNC_HANDLERS["noop"](given)


async def io(_ctx: Any, given: dict[str, Any]) -> None:
    await ASYNC_HANDLERS["io"](given)


async def work(ask: Ask) -> None:
    worker = Worker(
        functions=[func(noop, name="noop"), func(io, name="io")],
        redis_settings=RedisSettings.from_dsn(ask.url),
        max_jobs=ask.concurrency,
        # Its default of half a second caps it at twice its concurrency a second.
        poll_delay=0.5 if ask.n == 0 else 0.01,
        handle_signals=False,
    )
    await worker.async_run()


if __name__ == "__main__":
    main(enqueue, work, run=uvloop.run)
