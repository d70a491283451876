"""Dramatiq: one worker process with threads (its command line starts one process per core)."""

from __future__ import annotations

import time
from typing import Any

import dramatiq  # type: ignore[import-not-found]
from dramatiq.brokers.redis import RedisBroker  # type: ignore[import-not-found]

from tests.bench.peers.common import HANDLERS, QUEUE, Ask, Watch, main, payload


def _actors(ask: Ask) -> tuple[Any, dict[str, Any]]:
    broker = RedisBroker(url=ask.url)
    dramatiq.set_broker(broker)
    return broker, {
        name: dramatiq.actor(handler, actor_name=name, queue_name=QUEUE)
        for name, handler in HANDLERS.items()
    }


def enqueue(ask: Ask, watch: Watch) -> None:
    broker, actors = _actors(ask)
    broker.client.ping()
    send = actors[ask.handler].send
    watch.start()
    for _ in range(ask.n):
        send(payload())
        if ask.gap:
            time.sleep(ask.gap)
    watch.stop(ask.n)


def work(ask: Ask) -> None:
    broker, _ = _actors(ask)
    worker = dramatiq.Worker(broker, worker_threads=ask.concurrency)
    worker.start()
    worker.join()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(enqueue, work)
