"""From a command in the chat to the task, and from a message to the chat."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest

from functions.apps.tasks import (
    Message,
    NewTask,
    Reminder,
    create_task,
    run_command,
    schedule_reminder,
    send_message,
)
from functions.apps.tasks.tables import Tables
from functions.apps.tasks.texts import HELP
from shared import ConfigurationError
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext
from .conftest import ADA, STRANGER, Chat, Projects, drain, update

HELLO = Message(chat_id=ADA, text="hello")


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def test_a_command_creates_a_task(projects: Projects, chat: Chat, tables: Tables) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/task Buy milk by 2027-01-05"))
        await drain(store, clock)

    assert [package["subject"] for package in projects.packages.values()] == ["Buy milk"]
    assert [(task.user_id, task.due) for task in tables.open_tasks(0, 10)] == [(ADA, "2027-01-05")]


async def test_an_update_that_telegram_sends_twice_is_one_command(
    projects: Projects, chat: Chat
) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        first = await run_command.enqueue(update("/task Buy milk"), job_id="update-10001")
        again = await run_command.enqueue(update("/task Buy milk"), job_id="update-10001")
        await drain(store, clock)
        late = await run_command.enqueue(update("/task Buy milk"), job_id="update-10001")
        await drain(store, clock)

    assert [first.duplicate, again.duplicate, late.duplicate] == [False, True, True]
    assert projects.posts == 1


async def test_runs_of_one_command_ask_once(
    projects: Projects, chat: Chat, context: MakeContext
) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        jobs = [
            (await run_command(update("/task Buy milk"), context("a")))["job"] for _ in range(2)
        ]
        await drain(store, clock)

    assert jobs[0] == jobs[1]
    assert projects.posts == 1


async def test_a_task_is_done_and_its_user_sees_the_others(
    projects: Projects, chat: Chat, context: MakeContext
) -> None:
    for title in ("Buy milk", "Call Bo"):
        await create_task(NewTask(user_id=ADA, title=title), context(title[:3]))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/done #37"))
        await drain(store, clock)
        await run_command.enqueue(update("/tasks"))
        await drain(store, clock)

    assert projects.packages[37]["_embedded"]["status"]["isClosed"]
    assert chat.sent[-1] == (ADA, "#38 Call Bo")


async def test_who_has_no_task_is_told_so(chat: Chat) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/tasks"))
        await drain(store, clock)

    assert chat.sent == [(ADA, "You have no open tasks.")]


async def test_help_is_one_message(chat: Chat) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/help"))
        await drain(store, clock)

    assert chat.sent == [(ADA, HELP)]


async def test_a_stranger_gets_no_task_and_no_answer(projects: Projects, chat: Chat) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, run_command, update("/task x", user=STRANGER), clock=clock)
        await drain(store, clock)

    assert view.history["result"] == {"ignored": True}
    assert (projects.requests, chat.sent) == ([], [])


async def test_a_message_is_sent_once_however_often_its_job_runs(
    chat: Chat, context: MakeContext
) -> None:
    results = [await send_message(HELLO, context("a")) for _ in range(2)]
    await send_message(HELLO, context("b"))

    assert results == [{"message": 1}, {"message": 1}]
    assert chat.sent == [(ADA, "hello")] * 2


async def test_messages_are_remembered_for_two_weeks(
    chat: Chat, tables: Tables, context: MakeContext
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    tables.mark_sent("new", 1, today - dt.timedelta(days=13))
    tables.mark_sent("old", 2, today - dt.timedelta(days=15))

    await send_message(HELLO, context("a"))

    assert (tables.message_of("new"), tables.message_of("old")) == (1, None)


async def test_a_flood_that_telegram_limits_costs_no_attempts(chat: Chat) -> None:
    limited = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 9"}
    answer = httpx.Response(429, json=limited | {"parameters": {"retry_after": 9}})
    chat.faults = [answer] * 5
    clock = FakeClock()
    begun = clock.epoch_ms()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, send_message, HELLO, clock=clock)

    assert (view.state, view.attempts) == ("completed", 1)
    assert clock.epoch_ms() - begun >= 5 * 9_000
    assert chat.sent == [(ADA, "hello")]


async def test_a_user_who_blocked_the_bot_is_not_tried_again(chat: Chat) -> None:
    blocked = {
        "ok": False,
        "error_code": 403,
        "description": "Forbidden: bot was blocked by the user",
    }
    chat.faults = [httpx.Response(403, json=blocked)]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, send_message, HELLO, clock=clock)

    assert (view.state, view.attempts) == ("dead", 1)


async def test_no_error_shows_the_bot_s_token(chat: Chat) -> None:
    chat.faults = [httpx.Response(502, text="<html>")] * 3
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, send_message, HELLO, clock=clock)

    assert view.state == "dead"
    assert "7:token" not in str(view.history)


@pytest.mark.parametrize("text", [None, "", "ada", "1,ada", "1,\u0663"])
async def test_a_bot_without_a_team_runs_no_command(
    text: str | None, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is None:
        monkeypatch.delenv("TELEGRAM_USERS", raising=False)
    else:
        monkeypatch.setenv("TELEGRAM_USERS", text)

    with pytest.raises(ConfigurationError, match="TELEGRAM_USERS"):
        await run_command(update("/help"), context())


@pytest.mark.parametrize("name", ["flrts_bot", "@flrts_bot", " FLRTS_bot "])
async def test_the_bot_knows_its_own_name(
    name: str, projects: Projects, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_NAME", name)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/task@other_bot Rain?", chat=-100))
        await run_command.enqueue(update("/task@flrts_bot Buy milk", chat=-100))
        await drain(store, clock)

    assert chat.sent == [(-100, "Task created: Buy milk (#37)")]


async def test_a_zone_that_does_not_exist_is_one_clear_sentence(
    outside: object, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKS_TIMEZONE", "Mars/Olympus")

    with pytest.raises(ConfigurationError, match="TASKS_TIMEZONE='Mars/Olympus'"):
        await run_command(update("/help"), context())


FORUM = {"chat": -1001234567890, "message_thread_id": 7}


@pytest.mark.parametrize(("in_topic", "topic"), [(True, 7), (False, None)])
@pytest.mark.parametrize(
    "text",
    [
        "/task Buy milk",
        "/tasks",
        "/done 99",
        "/done x",
        "/help",
        "/remind 2026-12-01 09:00 Call Bo",
    ],
)
async def test_what_is_asked_in_a_topic_is_answered_there(
    text: str, in_topic: bool, topic: int | None, projects: Projects, chat: Chat
) -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update(text, is_topic_message=in_topic, **FORUM))
        await drain(store, clock)

    assert {where for where, _text in chat.sent} == {FORUM["chat"]}
    assert set(chat.topics) == {topic}


async def test_a_reminder_comes_where_it_was_asked_for(chat: Chat, context: MakeContext) -> None:
    clock = FakeClock()
    at = dt.datetime.fromtimestamp(clock.epoch_ms() / 1000 + 60, dt.UTC)
    reminder = Reminder(user_id=ADA, chat_id=-100, topic_id=7, text="Call Bo", at=at)

    async with embedded_store(clock=clock) as store:
        await schedule_reminder(reminder, context("a"))
        await drain(store, clock, seconds=61)

    assert chat.topics == [7]
