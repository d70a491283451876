"""A job's life on a real Upstash database. Opt-in: TIDEGATE_LIVE=1 and a database's URL and token;
uses a prefix of its own and purges it."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import BaseModel

from shared import App, JobContext, RateLimit
from shared.config.settings import Settings
from shared.connect import connect
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.store.keys import vector

pytestmark = pytest.mark.skipif(
    os.environ.get("TIDEGATE_LIVE") != "1",
    reason="set TIDEGATE_LIVE=1, UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN",
)

app = App("live")
queue = app.queue("live", limit=RateLimit(1000, per=1))
ran: list[str] = []


class Note(BaseModel):
    text: str


@queue.job("note")
async def note(payload: Note, job: JobContext) -> dict[str, str]:
    ran.append(job.id)
    return {"text": payload.text}


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    env = {**os.environ, "TIDEGATE_PREFIX": f"live-{secrets.token_hex(4)}"}
    opened = connect(Settings.from_env(env))
    yield opened
    await opened.close()
    async with httpx.AsyncClient() as client:
        token = {"Authorization": f"Bearer {env['UPSTASH_REDIS_REST_TOKEN']}"}
        names = vector(env["TIDEGATE_PREFIX"], queue.name)
        done = await client.post(env["UPSTASH_REDIS_REST_URL"], json=["DEL", *names], headers=token)
        done.raise_for_status()


async def test_jobs_are_enqueued_drained_and_completed(store: Store) -> None:
    made = [note.job(Note(text=str(number))) for number in range(50)]
    enqueued = await store.enqueue(queue, made)

    report = await Drain(store, Registry([app]), Budget.of(30)).tick()

    assert report.error is None
    assert report.outcomes["done"] == len(made) == len(enqueued)
    assert len(set(ran)) == len(made), "nothing ran twice"


async def test_an_idle_tick_is_one_request(store: Store) -> None:
    report = await Drain(store, Registry([app]), Budget.of(30), sweep_every=0).tick()

    assert (report.error, report.requests) == (None, 1)
