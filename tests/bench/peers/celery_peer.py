"""Celery: the solo pool for one at a time, the thread pool for more. No result backend.

Its prefork pool was no faster for jobs this small when it was measured here before.
"""

from __future__ import annotations

import time
from typing import Any

from celery import Celery  # type: ignore[import-not-found]

from tests.bench.peers.common import HANDLERS, QUEUE, Ask, Watch, main, payload


def _app(ask: Ask) -> tuple[Any, dict[str, Any]]:
    app = Celery(QUEUE, broker=ask.url)
    app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
    return app, {name: app.task(handler, name=name) for name, handler in HANDLERS.items()}


def enqueue(ask: Ask, watch: Watch) -> None:
    app, tasks = _app(ask)
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
    send = tasks[ask.handler].delay
    watch.start()
    for _ in range(ask.n):
        send(payload())
        if ask.gap:
            time.sleep(ask.gap)
    watch.stop(ask.n)


def work(ask: Ask) -> None:
    app, _ = _app(ask)
    pool = "solo" if ask.concurrency == 1 else "threads"
    app.Worker(pool=pool, concurrency=ask.concurrency, loglevel="ERROR", quiet=True).start()


if __name__ == "__main__":
    main(enqueue, work)
