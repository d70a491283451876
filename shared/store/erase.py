"""The erasure of the jobs with one option `key`: those of a user or a tenant, in every state.

The records are read page by page, filtered in the store. A job that a producer stores meanwhile may
be left: erase once nothing is enqueued for that key any more. So is a job of another key, or none,
whose follow-ups have this one: scripts don't read what bodies carry (docs/guides/encryption.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ..declare.key import check_word
from ..declare.queue import Queue
from ..errors import JobNotFound
from ..jobs.erase_report import EraseReport
from ..jobs.ids import public_id
from .codec import STATE_CODES
from .scripts import Calls

if TYPE_CHECKING:
    from .store import Store

AT_A_TIME = 8
"""Requests under way: a process has eight connections."""
PLACES = 1000
"""Places of a backlog, whose jobs are gone, that one request passes."""
_MORE = 2
_ENDED = {STATE_CODES[state] for state in ("completed", "cancelled", "dead")}


async def erase(store: Store, queue: Queue, key: str, *, dry_run: bool) -> EraseReport:
    """Delete them. Costs a request for 200 records of the queue, of any key, one for
    500 deleted jobs, one for each job that has not ended, and one to forget the key's name. Raises
    StoreError (a repeat goes on where it stopped) and InvalidOption."""
    check_word(key, "key")  # "-" would be every job without one
    total = EraseReport(0)
    async for states in _pages(store, queue, key):
        if dry_run:
            total += EraseReport(len(states))
            continue
        running = await _end_all(store, queue, states)
        verdicts = await store.delete(queue, [job_id for job_id in states if job_id not in running])
        ids = tuple(public_id(job_id, queue.name) for job_id in running)
        total += EraseReport(sum(verdicts), ids)
    if not dry_run:
        await _forget(store, queue, key)
    return total


async def _forget(store: Store, queue: Queue, key: str) -> None:
    """Have the queue forget the key's name, and with it what it has spent of its rate. Where jobs
    of it wait that were stored meanwhile, both stay."""
    calls, answer = Calls(store.rest, store.prefix, key_locking=store.key_locking), _MORE
    while answer == _MORE:
        (answer,) = await calls.run("forget_key", queue, key, PLACES)


async def _pages(store: Store, queue: Queue, key: str) -> AsyncIterator[dict[str, str]]:
    """The jobs of that key as id -> state code, each once, page by page."""
    seen, shard, shards = set[str](), 0, 1
    while shard < shards:
        cursor, is_last = "0", False
        while not is_last:
            page = await store.survey(queue, shard, cursor, key=key)
            cursor, is_last, shards = page.cursor, page.is_last, len(page.stored)
            # A hash that grows meanwhile may answer a record twice.
            states = {job_id: page.states[job_id] for job_id in page.states if job_id not in seen}
            seen.update(states)
            if states:
                yield states
        shard += 1


async def _end_all(store: Store, queue: Queue, states: dict[str, str]) -> list[str]:
    """End these jobs; the ids of those that run. Their cancellation is requested."""
    live = [job_id for job_id, state in states.items() if state not in _ENDED]
    running: list[str] = []
    for at in range(0, len(live), AT_A_TIME):
        some = live[at : at + AT_A_TIME]
        ended = await asyncio.gather(*(_end(store, queue, job_id) for job_id in some))
        running += [job_id for job_id, is_ended in zip(some, ended, strict=True) if not is_ended]
    return running


async def _end(store: Store, queue: Queue, job_id: str) -> bool:
    try:
        return await store.cancel(queue, job_id) != "cancel_requested"
    except JobNotFound:
        return True
