"""Tidegate, over the REST protocol like any other client. Also the application that the functions'
cold start is measured with."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel

from shared import App
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.jobs.job import Job
from shared.store import Store
from shared.store.client.rest import Rest
from tests.bench.peers.common import ASYNC_HANDLERS, FILL, QUEUE, Ask, Watch, main, recorder, say

TOKEN = "benchmark"
APP = App(QUEUE)
queue = APP.queue(QUEUE)


class Payload(BaseModel):
    at: float
    text: str


@queue.job("noop")
async def noop(payload: Payload) -> None:
    await ASYNC_HANDLERS["noop"]({"at": payload.at})


@queue.job("io")
async def io(payload: Payload) -> None:
    await ASYNC_HANDLERS["io"]({"at": payload.at})


def job(ask: Ask) -> Job:
    made = {"noop": noop, "io": io}[ask.handler]
    return made.job(Payload(at=round(time.time(), 6), text=FILL))


async def enqueue(ask: Ask, watch: Watch) -> None:
    store = Store(Rest(ask.url, TOKEN), QUEUE, key_locking=ask.key_locking)
    await store.agenda()
    nudge = await _connected(ask.nudge) if ask.nudge else None
    watch.start()
    if ask.bulk:
        for at in range(0, ask.n, 500):
            await store.enqueue(queue, [job(ask) for _ in range(min(500, ask.n - at))])
        watch.stop(ask.n)
    for _ in range(ask.n):
        await store.enqueue_one(queue, job(ask))
        if nudge is not None:
            nudge.write(b"\n")
        if ask.gap:
            await asyncio.sleep(ask.gap)
    watch.stop(ask.n)


async def work(ask: Ask) -> None:
    store = Store(Rest(ask.url, TOKEN), QUEUE, key_locking=ask.key_locking)
    if ask.nudge:
        await _drain_when_nudged(ask, store)
    if ask.n == 0:
        await _idle(store)
    recorder.n, recorder.seconds = -1, 3600.0  # the whole drain is timed, the last settle too
    began = time.perf_counter()
    drain = Drain(store, Registry([APP]), Budget.of(ask.seconds), batch=ask.concurrency, patience=0)
    report = await drain.run([queue])
    seconds = time.perf_counter() - began
    if report.error:
        raise SystemExit(report.error)
    meter = {"requests": report.requests, "commands": report.commands, "bytes": report.bytes}
    say({"n": report.outcomes["done"], "seconds": seconds, "first": recorder.first_epoch, **meter})


async def _idle(store: Store) -> None:
    """Ten ticks of a schedule, one after the other: what one of them costs while nothing is due."""
    before = store.meter.snapshot()
    for _ in range(10):
        await Drain(store, Registry([APP]), Budget.of(60)).tick()
    used = store.meter.since(before)
    say({"n": 10, "requests": used.requests, "commands": used.commands})


async def _connected(port: int) -> asyncio.StreamWriter:
    return (await asyncio.open_connection("127.0.0.1", port))[1]


async def _drain_when_nudged(ask: Ask, store: Store) -> None:
    """A warm function: each line on the port is an invocation whose event names the queue."""
    nudged = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            nudged.set()

    async with await asyncio.start_server(listen, "127.0.0.1", ask.nudge):
        while True:
            await nudged.wait()
            nudged.clear()
            await Drain(
                store, Registry([APP]), Budget.of(60), batch=ask.concurrency, patience=0
            ).run([queue])


if __name__ == "__main__":
    main(enqueue, work)
