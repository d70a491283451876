"""RQ: one job at a time in a process, so its concurrency is a number of processes.

SimpleWorker runs jobs in the worker itself; the default Worker forks for each, at a fifth of the
rate.
"""

from __future__ import annotations

import logging
import time

from redis import Redis  # type: ignore[import-not-found,unused-ignore]
from rq import Queue, SimpleWorker  # type: ignore[import-not-found]

from tests.bench.peers import common
from tests.bench.peers.common import QUEUE, Ask, Watch, main, payload

logging.getLogger("rq").setLevel(logging.ERROR)


def enqueue(ask: Ask, watch: Watch) -> None:
    queue = Queue(QUEUE, connection=Redis.from_url(ask.url))
    queue.connection.ping()
    handler = common.HANDLERS[ask.handler]
    watch.start()
    if ask.bulk:
        for at in range(0, ask.n, 500):
            rows = [Queue.prepare_data(handler, (payload(),)) for _ in range(min(500, ask.n - at))]
            queue.enqueue_many(rows)
        watch.stop(ask.n)
    for _ in range(ask.n):
        queue.enqueue(handler, payload())
        if ask.gap:
            time.sleep(ask.gap)
    watch.stop(ask.n)


def work(ask: Ask) -> None:
    connection = Redis.from_url(ask.url)
    SimpleWorker([Queue(QUEUE, connection=connection)], connection=connection).work(
        logging_level="ERROR"
    )


if __name__ == "__main__":
    main(enqueue, work)
