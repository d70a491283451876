"""The testing list and the promises of the document itself (requirements 003, story 1.6)."""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest

from functions.apps.tasks import (
    Message,
    NewTask,
    Reminder,
    app,
    create_task,
    schedule_reminder,
    send_message,
)
from functions.apps.tasks.tables import Tables
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.testing import FakeClock, embedded_store, run_virtually
from tests.support.world import World

from .conftest import ADA, BO, Chat, Projects, drain

HOUR = 3600.0
MILK = NewTask(user_id=ADA, title="Buy milk")


pytestmark = pytest.mark.parametrize("place", ["file"], indirect=True)


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables."""


async def test_a_duplicate_is_skipped_for_an_hour_whatever_becomes_of_the_first(
    projects: Projects, chat: Chat
) -> None:
    clock = FakeClock()
    enqueue = partial(create_task.enqueue, MILK, dedup="test-dedup-123", dedup_ttl=HOUR)

    async with embedded_store(clock=clock) as store:
        first = await enqueue()
        again = await enqueue()
        await drain(store, clock)
        ended = await enqueue()
        clock.advance(HOUR)
        later = await enqueue()
        await drain(store, clock)

    assert [one.duplicate for one in (first, again, ended, later)] == [False, True, True, False]
    assert first.id == again.id == ended.id != later.id
    assert projects.posts == 2


async def test_equal_payloads_are_one_job_without_any_name(projects: Projects) -> None:
    async with embedded_store():
        jobs = [await create_task.enqueue(MILK, dedup_ttl=HOUR) for _ in range(2)]
        other = await create_task.enqueue(MILK.model_copy(update={"user_id": BO}), dedup_ttl=HOUR)

    assert [job.duplicate for job in (*jobs, other)] == [False, True, False]


def test_a_thousand_messages_go_out_at_a_hundred_a_minute_each_once(chat: Chat) -> None:
    clock = FakeClock()
    sent = [0]

    async def ten_minutes() -> None:
        async with embedded_store(clock=clock) as store:
            jobs = [send_message.job(Message(chat_id=1 + n, text=f"{n}")) for n in range(1000)]
            await send_message.enqueue_many(jobs)
            for _ in range(10):
                budget = Budget.of(50, clock=clock)
                await Drain(store, Registry([app]), budget).run([send_message.queue])
                sent.append(len(chat.sent))
                await clock.sleep(60 - clock.monotonic() % 60)

    run_virtually(ten_minutes(), clock)

    assert sorted(chat.sent) == sorted((1 + n, f"{n}") for n in range(1000))
    assert all(count <= 100 + 100 * minute for minute, count in enumerate(sent))  # a burst first


async def test_the_store_never_sees_what_people_write(
    projects: Projects, chat: Chat, world: World
) -> None:
    await create_task.enqueue(MILK.model_copy(update={"description": "for the secret party"}))
    await create_task.enqueue(MILK, delay=3600)
    await drain(world.store, world.clock)

    stored = "".join([str(await world.probe.snapshot(name)) for name in app.queues])
    assert chat.sent == [(ADA, "Task created: Buy milk (#37)")]
    assert "task.create" in stored
    assert "Buy milk" not in stored
    assert "secret party" not in stored


async def test_all_jobs_of_a_person_can_be_erased(projects: Projects, chat: Chat) -> None:
    clock = FakeClock()
    at = dt.datetime.fromtimestamp(clock.epoch_ms() / 1000 + HOUR, dt.UTC)

    async with embedded_store(clock=clock) as store:
        for user in (ADA, BO):
            task = NewTask(user_id=user, title="Buy milk")
            await create_task.enqueue(task)
            await schedule_reminder.enqueue(Reminder(user_id=user, text="Milk!", at=at))
        await drain(store, clock)
        erased = await app.erase(str(ADA))
        await drain(store, clock, seconds=HOUR)

    # The task, the reminder's two jobs, and a notice of each of the first two.
    assert (erased.deleted, erased.running) == (5, ())
    assert [message for message in chat.sent if "Reminder" in message[1]] == [
        (BO, "Reminder: Milk!")
    ]
