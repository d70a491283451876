"""What a job of ours keeps of the store's memory in each state, plain and encrypted."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from functools import partial

from shared import App, Discard, Retention
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.encryption.keyring import KEY_BYTES, EncryptionKey, Keyring
from shared.store import Store
from shared.store.client.rest import Rest
from tests.bench.field import TIDEGATE
from tests.bench.measure import Bench
from tests.bench.peers.common import FILL
from tests.bench.peers.tidegate_peer import TOKEN, Payload
from tests.bench.runs import PeerFailed

ALL = Retention(count=1_000_000, age=86_400.0)
BUDGET = 300.0
SETTLING = 0.2
"""Seconds in which the server frees in the background what a flush left."""
APP = App("kept")
PLAIN = APP.queue("plain", completed=ALL, dead=ALL)
ENCRYPTED = APP.queue("encrypted", completed=ALL, dead=ALL, encrypt=True)
STATES = ("waiting", "completed", "dead")


async def complete(payload: Payload) -> dict[str, int]:
    """A job with a small result."""
    return {"length": len(payload.text)}


async def die(payload: Payload) -> None:
    """A job that fails for good at its first attempt."""
    raise Discard(f"{len(payload.text)} characters are refused")


TYPES = {
    (queue.name, state): queue.job(state)(die if state == "dead" else complete)
    for queue in (PLAIN, ENCRYPTED)
    for state in STATES
}


def kept(bench: Bench, jobs: int) -> None:
    """Bytes of Redis memory that a job with a 200-byte payload takes, in each state."""
    bench.samples.drop("kept")
    logging.getLogger("tidegate").setLevel(logging.CRITICAL)  # thousands die on purpose
    keyring = Keyring([EncryptionKey("bench", os.urandom(KEY_BYTES))])
    for queue, state in TYPES:
        name = f"kept/{TIDEGATE.name}/{state}, {queue}"
        bench.sample(name, partial(_bytes, bench, keyring, queue, state, jobs), exact=True)


def _bytes(
    bench: Bench, keyring: Keyring, queue: str, state: str, jobs: int
) -> tuple[float, dict[str, object]]:
    bench.server.flush()
    time.sleep(SETTLING)
    return asyncio.run(_grown(bench, keyring, queue, state, jobs)) / jobs, {"n": jobs}


async def _grown(bench: Bench, keyring: Keyring, queue: str, state: str, jobs: int) -> int:
    """Bytes by which the server grows for so many jobs."""
    rest = Rest(bench.direct.url(TIDEGATE), TOKEN)
    store = Store(rest, "kept", keyring=keyring, key_locking=False)
    try:
        await _add(store, queue, state, 1)  # the scripts and the queue's own keys are no job's
        before = bench.server.memory()
        for at in range(0, jobs, 500):
            await _add(store, queue, state, min(500, jobs - at))
        return bench.server.memory() - before
    finally:
        await store.close()


async def _add(store: Store, queue: str, state: str, jobs: int) -> None:
    job_type = TYPES[queue, state]
    made = [job_type.job(Payload(at=round(time.time(), 6), text=FILL)) for _ in range(jobs)]
    await store.enqueue(job_type.queue, made)
    if state == "waiting":
        return
    drain = Drain(store, Registry([APP]), Budget.of(BUDGET), patience=0)
    report = await drain.run([job_type.queue])
    ended = sum(report.outcomes.values())
    if ended != jobs:
        raise PeerFailed(f"{ended} of {jobs} jobs ended: {report.error}")
