"""Huey: threads in one consumer."""

from __future__ import annotations

import time
from typing import Any

from huey import RedisHuey  # type: ignore[import-not-found]

from tests.bench.peers.common import HANDLERS, QUEUE, Ask, Watch, main, payload


def _huey(ask: Ask) -> tuple[Any, dict[str, Any]]:
    huey = RedisHuey(QUEUE, url=ask.url)
    return huey, {name: huey.task(name=name)(handler) for name, handler in HANDLERS.items()}


def enqueue(ask: Ask, watch: Watch) -> None:
    huey, tasks = _huey(ask)
    huey.storage.conn.ping()
    send = tasks[ask.handler]
    watch.start()
    for _ in range(ask.n):
        send(payload())
        if ask.gap:
            time.sleep(ask.gap)
    watch.stop(ask.n)


def work(ask: Ask) -> None:
    huey, _ = _huey(ask)
    huey.create_consumer(workers=ask.concurrency).run()


if __name__ == "__main__":
    main(enqueue, work)
