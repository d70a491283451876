"""taskiq over taskiq-redis, as its own worker command builds it: a list (no acknowledgement) or,
as `taskiq_stream_peer`, a stream (acknowledged)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvloop  # type: ignore[import-not-found,unused-ignore]
from taskiq.receiver import Receiver  # type: ignore[import-not-found]
from taskiq_redis import ListQueueBroker  # type: ignore[import-not-found]

from tests.bench.peers.common import ASYNC_HANDLERS, QUEUE, Ask, Watch, main, payload


def peer(broker_type: Any) -> None:
    """Runs the peer with this kind of broker."""

    def tasks(ask: Ask) -> tuple[Any, dict[str, Any]]:
        broker = broker_type(ask.url, queue_name=QUEUE)
        return broker, {
            name: broker.register_task(handler, task_name=name)
            for name, handler in ASYNC_HANDLERS.items()
        }

    async def enqueue(ask: Ask, watch: Watch) -> None:
        broker, made = tasks(ask)
        await broker.startup()
        watch.start()
        for _ in range(ask.n):
            await made[ask.handler].kiq(payload())
            if ask.gap:
                await asyncio.sleep(ask.gap)
        watch.stop(ask.n)

    async def work(ask: Ask) -> None:
        broker, _ = tasks(ask)
        broker.is_worker_process = True
        with ThreadPoolExecutor() as pool:
            receiver = Receiver(broker, executor=pool, max_async_tasks=ask.concurrency)
            await receiver.listen(asyncio.Event())

    main(enqueue, work, run=uvloop.run)


if __name__ == "__main__":
    peer(ListQueueBroker)
