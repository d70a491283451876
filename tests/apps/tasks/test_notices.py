"""Users are told once what became of what they asked for, whatever dies in between."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import suppress
from itertools import count

import httpx
import pytest

from functions.apps.tasks import (
    NewTask,
    Reminder,
    TaskChange,
    app,
    create_task,
    run_command,
    schedule_reminder,
    update_task,
)
from functions.apps.tasks.tables import Tables
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.testing import FakeClock, embedded_store, store_on
from tests.support.world import World

from .conftest import ADA, BO, STRANGER, Chat, Projects, drain, update

GROUP = -1001234567890
MILK = NewTask(user_id=ADA, title="Buy milk")


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def test_a_user_is_told_what_became_of_a_command(projects: Projects, chat: Chat) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/task Buy milk", chat=GROUP))
        await drain(store, clock)
        await run_command.enqueue(update("/done 37"))
        await run_command.enqueue(update("/done 37", user=BO))
        await run_command.enqueue(update("/remind 2030-01-05 09:00 Call Bo"))
        await drain(store, clock)

    assert chat.sent[0] == (GROUP, "Task created: Buy milk (#37)")
    assert sorted(chat.sent[1:]) == [
        (ADA, "Failed to set reminder: Call Bo\na reminder is at most 365 days ahead"),
        (ADA, "Task done: Buy milk (#37)"),
        (BO, "Failed to change task: #37\nyou have no task #37"),
    ]


async def test_jobs_that_came_over_http_are_told_too(projects: Projects, chat: Chat) -> None:
    now = dt.datetime.now(dt.UTC)
    clock, soon = FakeClock.at(now), now + dt.timedelta(days=1)

    async with embedded_store(clock=clock) as store:
        await create_task.enqueue(MILK)
        await drain(store, clock)
        await update_task.enqueue(TaskChange(user_id=ADA, task=37, title="Buy oat milk"))
        await schedule_reminder.enqueue(Reminder(user_id=ADA, text="Milk!", at=soon))
        await drain(store, clock)

    assert sorted(chat.sent) == [
        (ADA, f"I will remind you on {soon:%Y-%m-%d at %H:%M}: Milk!"),
        (ADA, "Task changed: Buy oat milk (#37)"),
        (ADA, "Task created: Buy milk (#37)"),
    ]


async def test_a_failure_is_told_once_and_shows_no_address(projects: Projects, chat: Chat) -> None:
    projects.faults = [httpx.Response(503)] * 3
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        handle = await create_task.enqueue(MILK)
        for _ in range(4):
            await drain(store, clock, seconds=60)
        view = await handle.status()

    assert (view.state, view.attempts) == ("dead", 3)
    assert "projects.example" in str(view.errors)
    told = "Failed to create task: Buy milk\nIt does not work now; try it again later."
    assert chat.sent == [(ADA, told)]


async def test_a_refusal_is_told_with_its_reason(projects: Projects, chat: Chat) -> None:
    projects.faults = [httpx.Response(422, json={"message": "Due date is in the past."})]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await create_task.enqueue(MILK)
        await drain(store, clock)

    reason = "OpenProject answers 422: Due date is in the past."
    assert chat.sent == [(ADA, f"Failed to create task: Buy milk\n{reason}")]


async def test_a_command_that_fails_is_told(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKS_TIMEZONE", "Mars/Olympus")
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/tasks"))
        for _ in range(4):
            await drain(store, clock, seconds=60)

    assert chat.sent == [(ADA, "Failed to run: /tasks\nIt does not work now; try it again later.")]


NO_ZONE = {"TASKS_TIMEZONE": "Mars/Olympus", "TELEGRAM_BOT_NAME": "flrts_bot"}


@pytest.mark.parametrize(
    ("settings", "user", "chat_id", "text", "told"),
    [
        ({"TELEGRAM_USERS": ""}, STRANGER, STRANGER, "/task hello", False),
        ({"TELEGRAM_USERS": "ada"}, STRANGER, STRANGER, "hello", False),
        ({"TELEGRAM_USERS": ""}, ADA, ADA, "/task hello", False),
        (NO_ZONE, STRANGER, STRANGER, "/task hello", False),
        (NO_ZONE, STRANGER, GROUP, "/task hello", False),
        (NO_ZONE, ADA, GROUP, "good morning", False),
        (NO_ZONE, ADA, GROUP, "/task@other_bot hello", False),
        (NO_ZONE, ADA, GROUP, "/task hello", True),
        (NO_ZONE, ADA, ADA, "hello", True),
    ],
)
async def test_a_failure_is_told_to_members_who_wrote_to_the_bot_and_to_nobody_else(
    chat: Chat,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    user: int,
    chat_id: int,
    text: str,
    told: bool,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        handle = await run_command.enqueue(update(text, user=user, chat=chat_id))
        for _ in range(4):
            await drain(store, clock, seconds=60)
        view = await handle.status()

    assert (view.state, view.errors[-1]["type"]) == ("dead", "ConfigurationError")
    assert [to for to, _text in chat.sent] == ([chat_id] if told else [])


async def test_a_notice_that_fails_fails_nothing_else(projects: Projects, chat: Chat) -> None:
    said = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    chat.faults = [httpx.Response(403, json=said)]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        handle = await create_task.enqueue(MILK)
        await drain(store, clock)
        view = await handle.status()

    assert (view.state, projects.posts, chat.sent) == ("completed", 1, [])


class Grave(httpx.AsyncBaseTransport):
    """The function dies at its n-th request to the store: that may arrive, and no more is heard."""

    def __init__(self, inner: httpx.AsyncBaseTransport, n: int, *, arrives: bool) -> None:
        self._inner, self._left, self._arrives = inner, n, arrives
        self.died = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left > 0:
            return await self._inner.handle_async_request(request)
        if self._left == 0 and self._arrives:
            await self._inner.handle_async_request(request)
        self.died.set()
        await asyncio.Event().wait()
        raise AssertionError


async def drain_until_death(world: World, n: int, *, arrives: bool) -> bool:
    """A drain whose function dies at its n-th request. False where it has fewer."""
    graves: list[Grave] = []

    def wrap(inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        graves.append(Grave(inner, n, arrives=arrives))
        return graves[-1]

    store = store_on(world.protocol, clock=world.clock, wrap=wrap)
    run = Drain(store, Registry([app]), Budget.of(60, clock=world.clock), patience=0)
    draining = asyncio.ensure_future(run.run(list(app.queues.values())))
    dying = asyncio.ensure_future(graves[0].died.wait())
    await asyncio.wait({draining, dying}, return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, dying):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await store.close()
    return graves[0].died.is_set()


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("place", ["file"], indirect=True)
@pytest.mark.parametrize("succeeds", [True, False])
async def test_a_function_may_die_at_every_request_to_the_store(
    succeeds: bool, arrives: bool, projects: Projects, chat: Chat, world: World
) -> None:
    if not succeeds:
        refusal = httpx.Response(422, json={"message": "Subject is taken."})
        projects.faults = [refusal] * 1000
    for n in count(1):
        title = f"Task {n}"
        await create_task.enqueue(NewTask(user_id=ADA, title=title), job_id=f"job-{n}")
        died = await drain_until_death(world, n, arrives=arrives)
        for _ in range(4):
            await drain(world.store, world.clock, seconds=60)

        assert len(chat.sent) == n
        assert title in chat.sent[-1][1]
        assert len(projects.packages) == (n if succeeds else 0)
        if not died:
            assert n > 8
            break
