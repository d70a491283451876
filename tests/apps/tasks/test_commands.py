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

ODD = ("3_7", "+37", "37.0", "\u0663\u0667", "\uff13\uff17", "##37", "3 7")
"""Numbers that Python or pydantic would read."""
BLANK = ("\u200b", "\u200b\u200d\ufeff", "\u2060 \u200e", "\u3164", "\ufe0f")


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
        ("/task Buy\tmilk", NewTask(title="Buy milk", **WHO)),
        ("/task Buy \u00a0 milk\r\n\tsoon", NewTask(title="Buy milk", description="soon", **WHO)),
        (
            "/task Buy\tmilk\tby\t2027-01-05 ",
            NewTask(title="Buy milk", due_date=dt.date(2027, 1, 5), **WHO),
        ),
        ("/task 👩\u200d💻", NewTask(title="👩\u200d💻", **WHO)),
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
        *((f"/done {number}", "task: Value error, give a number in digits") for number in ODD),
        *((f"/task {blank}", "title: ") for blank in BLANK),
        *((f"/remind 2027-01-05 09:00 {blank}", "text: ") for blank in BLANK),
        ("/remind 2027-01-05 09:00 #9999999999 Milk!", "task: "),
        ("/remind \uff12\uff10\uff12\uff17-01-05 09:00 Call Ada", "write a day, a time and a text"),
        ("/remind 2027-01-05 \u06609:00 Call Ada", "write a day, a time and a text"),
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


@pytest.mark.parametrize("bot", ["flrts_bot", "FLRTS_Bot"])
@pytest.mark.parametrize("chat", [ADA, GROUP])
@pytest.mark.parametrize("text", ["/task@other_bot Rain?", "/nonsense@other_bot", "/tasks@flrts"])
def test_a_command_for_another_bot_is_ignored(text: str, chat: int, bot: str) -> None:
    assert read_command(update(text, chat=chat), TEAM, dt.UTC, bot) is None


@pytest.mark.parametrize("bot", ["flrts_bot", None])
@pytest.mark.parametrize("text", ["/done@flrts_bot 37", "/done@FLRTS_bot 37", "/done 37"])
def test_a_command_for_this_bot_is_read(text: str, bot: str | None) -> None:
    asked = read_command(update(text, chat=GROUP), TEAM, dt.UTC, bot)

    assert isinstance(asked, TaskChange)


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


def captioned(caption: str, chat: int = ADA) -> Update:
    """A picture with words below it, as Telegram sends it."""
    sent = update("", chat=chat).model_dump(by_alias=True)
    photo = [{"file_id": "x", "file_unique_id": "y", "width": 90, "height": 67, "file_size": 1}]
    del sent["message"]["text"]
    sent["message"] |= {"caption": caption, "photo": photo}
    return Update.model_validate(sent)


@pytest.mark.parametrize("chat", [ADA, GROUP])
@pytest.mark.parametrize(
    "caption",
    ["/task Fix this pipe", "/task@flrts_bot Fix this pipe", "/done 37", "/remind soon", "/tasks"],
)
def test_a_command_below_a_picture_is_answered_and_the_picture_is_not_lost(
    caption: str, chat: int
) -> None:
    answer = read_command(captioned(caption, chat), TEAM, dt.UTC, "flrts_bot")

    assert isinstance(answer, Message)
    assert answer.chat_id == chat
    assert answer.text.startswith("Sorry: send the command as a message of its own: a file ")


@pytest.mark.parametrize(
    ("caption", "chat", "answer"),
    [
        ("Look at this", ADA, HELP),
        ("/start", ADA, HELP),
        ("Look at this", GROUP, None),
        ("/task@other_bot Rain?", GROUP, None),
        ("/task@other_bot Rain?", ADA, None),
        ("", ADA, None),
    ],
)
def test_other_words_below_a_picture_are_read_as_a_text_is(
    caption: str, chat: int, answer: str | None
) -> None:
    read = read_command(captioned(caption, chat), TEAM, dt.UTC, "flrts_bot")

    assert read == (None if answer is None else Message(chat_id=chat, text=answer))


@pytest.mark.parametrize(
    ("date", "zone"), [(0, "America/New_York"), (2**37 - 1, "Pacific/Kiritimati")]
)
def test_a_message_has_a_date_in_every_zone(date: int, zone: str) -> None:
    sent = update("/remind 9998-12-31 12:00 Call Ada").model_dump(by_alias=True)
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
