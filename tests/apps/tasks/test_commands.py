"""What members write to the bot is understood; what others write is ignored."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.tasks import Message, NewTask, Reminder, TaskChange, Update
from functions.apps.tasks.commands import TaskList, read_command
from functions.apps.tasks.texts import HELP

from .conftest import ADA, BO, STRANGER, update

TEAM, GROUP = {ADA, BO}, -1001234567890
WHO = {"user_id": ADA, "chat_id": ADA}


def read(text: str, **options: int) -> object:
    return read_command(update(text, **options), TEAM, dt.UTC)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("/task Buy milk", NewTask(title="Buy milk", **WHO)),
        ("  /task   Buy milk  ", NewTask(title="Buy milk", **WHO)),
        ("/Task@flrts_bot Buy milk", NewTask(title="Buy milk", **WHO)),
        ("/task\nBuy milk", NewTask(title="Buy milk", **WHO)),
        (
            "/task Buy milk by 2027-01-05\nTwo litres\nof oats",
            NewTask(
                title="Buy milk",
                due_date=dt.date(2027, 1, 5),
                description="Two litres\nof oats",
                **WHO,
            ),
        ),
        ("/task Stand by me", NewTask(title="Stand by me", **WHO)),
        ("/task 2027-01-05", NewTask(title="2027-01-05", **WHO)),
        ("/done 37", TaskChange(task=37, done=True, **WHO)),
        ("/done #37", TaskChange(task=37, done=True, **WHO)),
        ("/tasks", TaskList(**WHO)),
        (
            "/remind 2027-01-05 09:00 Call Ada",
            Reminder(text="Call Ada", at=dt.datetime(2027, 1, 5, 9, tzinfo=dt.UTC), **WHO),
        ),
        (
            "/remind 2027-01-05T9:05 #37 Milk,\nnow",
            Reminder(
                text="Milk, now", task=37, at=dt.datetime(2027, 1, 5, 9, 5, tzinfo=dt.UTC), **WHO
            ),
        ),
    ],
)
def test_a_command_is_read(text: str, asked: object) -> None:
    assert read(text) == asked


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/task", "title: String should have at least 1 character"),
        ("/task " + "x" * 256, "title: String should have at most 255 characters"),
        ("/task Buy milk by 2027-02-30", "due_date"),
        ("/done", "task"),
        ("/done milk", "task"),
        ("/done -1", "task"),
        ("/remind tomorrow Call Ada", "write a day, a time and a text"),
        ("/remind 2027-01-05 09:00", "write a day, a time and a text"),
        ("/remind 2027-02-30 09:00 Call Ada", "there is no 2027-02-30 09:00"),
        ("/remind 2027-01-05 25:00 Call Ada", "there is no 2027-01-05 25:00"),
        ("/remind 2025-12-31 09:00 Call Ada", "2025-12-31 09:00 is over"),
    ],
)
def test_what_can_t_be_read_is_answered_with_the_reason(text: str, reason: str) -> None:
    answer = read(text)

    assert isinstance(answer, Message)
    assert answer.chat_id == ADA
    assert answer.text.startswith("Sorry: ")
    assert reason in answer.text
    assert answer.text.endswith(HELP)


@pytest.mark.parametrize("text", ["/help", "/start", "hello", "/ task", "/täsk", "//"])
def test_anything_else_in_private_is_answered_with_help(text: str) -> None:
    assert read(text) == Message(chat_id=ADA, text=HELP)


def test_a_group_hears_only_answers_to_commands() -> None:
    assert read("hello", chat=GROUP) is None
    assert read("/nonsense", chat=GROUP) == Message(chat_id=GROUP, text=HELP)
    asked = read("/done 37", chat=GROUP)
    assert isinstance(asked, TaskChange)
    assert (asked.user_id, asked.chat) == (ADA, GROUP)


def test_a_stranger_is_ignored() -> None:
    assert read("/task Buy milk", user=STRANGER) is None


def test_times_are_those_of_the_team_s_zone() -> None:
    zone = ZoneInfo("Europe/Berlin")

    asked = read_command(update("/remind 2027-07-05 09:00 Call Ada"), TEAM, zone)

    assert isinstance(asked, Reminder)
    assert asked.at.astimezone(dt.UTC) == dt.datetime(2027, 7, 5, 7, tzinfo=dt.UTC)


OTHER_KINDS: dict[str, dict[str, Any]] = {
    "edited": {"edited_message": {"message_id": 1, "date": 1, "chat": {"id": ADA}, "text": "/x"}},
    "channel": {"channel_post": {"message_id": 1, "date": 1, "chat": {"id": -100}, "text": "/x"}},
    "button": {"callback_query": {"id": "1", "from": {"id": ADA}, "data": "x"}},
    "photo": {"message": {"message_id": 1, "date": 1, "chat": {"id": ADA}, "from": {"id": ADA}}},
    "anonymous": {"message": {"message_id": 1, "date": 1, "chat": {"id": -100}, "text": "/tasks"}},
    "bot": {
        "message": {
            "message_id": 1,
            "date": 1,
            "chat": {"id": ADA},
            "from": {"id": ADA, "is_bot": True},
            "text": "/tasks",
        }
    },
}


@pytest.mark.parametrize("kind", sorted(OTHER_KINDS))
def test_updates_of_other_kinds_are_ignored(kind: str) -> None:
    other = Update.model_validate({"update_id": 1, **OTHER_KINDS[kind]})

    assert read_command(other, TEAM, dt.UTC) is None


@pytest.mark.parametrize(
    ("date", "zone"), [(0, "America/New_York"), (2**37 - 1, "Pacific/Kiritimati")]
)
def test_a_message_has_a_date_in_every_zone(date: int, zone: str) -> None:
    sent = update("/remind 9999-12-31 23:59 Call Ada").model_dump(by_alias=True)
    sent["message"]["date"] = date

    asked = read_command(Update.model_validate(sent), TEAM, ZoneInfo(zone))

    assert isinstance(asked, Reminder)


def test_an_update_is_stored_as_it_is_read() -> None:
    written = update("/task Buy milk").model_dump_json(by_alias=True)

    assert json.loads(written)["message"]["from"] == {"id": ADA, "is_bot": False}
    assert Update.model_validate_json(written) == update("/task Buy milk")


@given(st.text(max_size=300), st.sampled_from(["", "/task ", "/done ", "/remind ", "/tasks "]))
def test_no_text_is_without_an_answer(text: str, command: str) -> None:
    message = (command + text).replace("\0", "").strip()
    if message:
        assert read(message) is not None


@pytest.mark.parametrize("unit", [" ", "by ", " by 2027-01-05", "\n", "#1 ", "/task "])
def test_a_long_message_is_read_at_once(unit: str) -> None:
    for command in ("/task ", "/remind 2027-01-05 09:00 ", "/done "):
        assert read((command + unit * 4000)[:4000] + "x") is not None
