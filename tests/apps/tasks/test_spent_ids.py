"""A job that died or was cancelled holds back none that is enqueued under its id later."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest

from functions.apps.tasks import (
    NewTask,
    ProjectEvent,
    ProjectSync,
    Reminder,
    create_task,
    receive_event,
    schedule_reminder,
    send_reminder,
    sync_project,
    sync_task,
)
from functions.apps.tasks.tables import Tables
from shared.testing import FakeClock, embedded_store

from ..conftest import MakeContext
from .conftest import ADA, Chat, Projects, drain

MILK = NewTask(user_id=ADA, title="Buy milk")


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def test_a_second_event_and_comparison_under_one_id_read_the_task(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    clock = FakeClock()
    await create_task(MILK, context("new"))
    projects.edit(37, subject="Buy oat milk")
    event = ProjectEvent.model_validate(
        {"action": "work_package:updated", "work_package": {"id": 37, "lockVersion": 1}}
    )

    async with embedded_store(clock=clock) as store:
        for time in range(2):  # of the job that n8n names after the event; its record has gone
            await receive_event(event, context("event", queue="flrts.openproject.webhook"))
            await sync_project(ProjectSync(), context("now", queue="flrts.openproject.sync"))
            if time == 0:
                projects.faults = [httpx.Response(403)] * 2
                await drain(store, clock)
                assert (await store.stats(sync_task.queue)).sizes["dead"] == 2
        await drain(store, clock)

    assert [task.subject for task in tables.open_tasks_of(ADA, 9)] == ["Buy oat milk"]


@pytest.mark.parametrize("end", ["cancelled", "dead"])
async def test_a_reminder_that_is_asked_for_again_comes(
    end: str, chat: Chat, context: MakeContext
) -> None:
    clock = FakeClock()
    at = dt.datetime.fromtimestamp(clock.epoch_ms() / 1000 + 60, dt.UTC)
    reminder = Reminder(user_id=ADA, text="Call Bo", at=at)
    if end == "dead":
        chat.faults = [httpx.Response(403, json={"ok": False, "description": "blocked"})]

    async with embedded_store(clock=clock) as store:
        await schedule_reminder(reminder, context("a"))
        if end == "cancelled":
            name = context("a").child_id("send")
            assert await send_reminder.queue.handle(name).cancel() == "cancelled"
            await schedule_reminder(reminder, context("a"))
        else:
            await send_reminder(reminder, context("b"))
            await drain(store, clock)
            await send_reminder(reminder, context("b"))
        await drain(store, clock, seconds=61)

    assert (ADA, "Reminder: Call Bo") in chat.sent
