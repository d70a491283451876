"""A reminder is sent at its instant, once, unless its task is done."""

from __future__ import annotations

import datetime as dt

import pytest

from functions.apps.tasks import (
    NewTask,
    Reminder,
    TaskSync,
    create_task,
    schedule_reminder,
    sync_task,
)
from functions.apps.tasks.tables import Tables
from shared import Discard
from shared.testing import FakeClock, embedded_store

from ..conftest import MakeContext
from .conftest import ADA, BO, Chat, Projects, drain

MINUTE, DAY = 60.0, 86_400.0


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


def in_an_hour(clock: FakeClock) -> dt.datetime:
    return dt.datetime.fromtimestamp(clock.epoch_ms() / 1000 + 3600, dt.UTC)


async def test_a_reminder_is_sent_at_its_instant(chat: Chat) -> None:
    clock = FakeClock()
    reminder = Reminder(user_id=ADA, text="Call Bo", at=in_an_hour(clock))
    told = "Reminder: Call Bo"

    async with embedded_store(clock=clock) as store:
        await schedule_reminder.enqueue(reminder)
        await drain(store, clock)
        await drain(store, clock, seconds=59 * MINUTE)
        early = [text for _, text in chat.sent if text == told]
        await drain(store, clock, seconds=MINUTE)
        await drain(store, clock, seconds=DAY)

    assert early == []
    assert [message for message in chat.sent if message[1] == told] == [(ADA, told)]


async def test_runs_of_one_job_send_one_reminder(chat: Chat, context: MakeContext) -> None:
    clock = FakeClock()
    reminder = Reminder(user_id=ADA, text="Call Bo", at=in_an_hour(clock))

    async with embedded_store(clock=clock) as store:
        for _ in range(2):
            await schedule_reminder(reminder, context("a"))
        await drain(store, clock, seconds=61 * MINUTE)

    assert chat.sent == [(ADA, "Reminder: Call Bo")]


@pytest.mark.parametrize(("closed", "sent"), [(False, 1), (True, 0)])
async def test_a_reminder_of_a_task_that_is_done_is_not_sent(
    closed: bool,
    sent: int,
    chat: Chat,
    projects: Projects,
    context: MakeContext,
) -> None:
    clock = FakeClock()
    reminder = Reminder(user_id=ADA, text="Milk!", at=in_an_hour(clock), task=37)
    await create_task(NewTask(user_id=ADA, title="Buy milk"), context())

    async with embedded_store(clock=clock) as store:
        await schedule_reminder(reminder, context("a"))
        projects.edit(37, closed=closed)
        await sync_task(TaskSync(task=37))
        await drain(store, clock, seconds=61 * MINUTE)

    assert chat.sent == [(ADA, "Reminder: Milk!")] * sent


async def test_a_reminder_of_a_number_that_is_another_user_s_task_now_is_sent(
    chat: Chat, projects: Projects, context: MakeContext
) -> None:
    clock = FakeClock()
    reminder = Reminder(user_id=ADA, text="Milk!", at=in_an_hour(clock), task=37)
    await create_task(NewTask(user_id=BO, title="Buy milk"), context())

    async with embedded_store(clock=clock) as store:
        await schedule_reminder(reminder, context("a"))
        projects.edit(37, closed=True)
        await sync_task(TaskSync(task=37))
        await drain(store, clock, seconds=61 * MINUTE)

    assert chat.sent == [(ADA, "Reminder: Milk!")]


@pytest.mark.parametrize("back", [False, True])
async def test_a_reminder_of_a_task_that_was_out_of_sight_is_sent(
    back: bool, chat: Chat, projects: Projects, context: MakeContext
) -> None:
    clock = FakeClock()
    reminder = Reminder(user_id=ADA, text="Milk!", at=in_an_hour(clock), task=37)
    await create_task(NewTask(user_id=ADA, title="Buy milk"), context())
    packages, projects.packages = projects.packages, {}

    async with embedded_store(clock=clock) as store:
        await schedule_reminder(reminder, context("a"))
        await sync_task(TaskSync(task=37))
        if back:
            projects.packages = packages
            await sync_task(TaskSync(task=37))
        await drain(store, clock, seconds=61 * MINUTE)

    word = "" if back else "\nOpenProject does not show task #37 now: it may be done."
    assert chat.sent == [(ADA, f"Reminder: Milk!{word}")]


async def test_a_reminder_is_at_most_a_year_ahead(context: MakeContext) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(days=366)

    with pytest.raises(Discard, match="at most 365 days ahead"):
        await schedule_reminder(Reminder(user_id=ADA, text="Call Bo", at=at), context())


async def test_a_reminder_that_is_late_is_sent_at_once(chat: Chat, context: MakeContext) -> None:
    clock = FakeClock()
    at = in_an_hour(clock) - dt.timedelta(days=3)

    async with embedded_store(clock=clock) as store:
        await schedule_reminder(Reminder(user_id=ADA, text="Call Bo", at=at), context())
        await drain(store, clock)

    assert chat.sent == [(ADA, "Reminder: Call Bo")]
