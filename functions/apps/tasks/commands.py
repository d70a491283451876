"""What members of the team write to the bot, as what they ask for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection

from pydantic import ValidationError

from .payloads import ChatMessage, Message, NewTask, Reminder, Request, TaskChange, Update
from .texts import HELP, apology
from .times import instant_of

_COMMAND = re.compile(r"/([A-Za-z]+)(?:@([A-Za-z0-9_]+))?(?:\s+(.*))?", re.DOTALL)
# Not \d, which is a digit of any script.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AT = re.compile(
    rf"({_DAY.pattern})[T\s]+([0-9]{{1,2}}:[0-9]{{2}})\s+(?:#([0-9]{{1,10}})\s+)?(.+)", re.DOTALL
)
_NO_CAPTION = "send the command as a message of its own: a file that comes with it can't be kept"


Sender = dict[str, int | None]
"""The fields of a request that name its user, chat and topic."""


class TaskList(Request):
    """The user wants to see the open tasks."""


class _NotUnderstood(Exception):
    """A command that can't be read, and why."""


def read_command(
    update: Update, members: Collection[int], zone: dt.tzinfo, bot: str | None = None
) -> Request | Message | None:
    """What an update asks for, or the answer to one that can't be read. None for what has no text
    of a member, or is for another bot than `bot`: then nobody gets an answer. `zone`: the time zone
    of the times in it."""
    message, user = update.message, update.user
    if message is None or not message.written or user is None or user not in members:
        return None
    command = _COMMAND.fullmatch(message.written.strip())
    if command is None:
        # In a group people talk to each other.
        return _answer(message, HELP) if message.chat.id == user else None
    if bot and command[2] and command[2].lower() != bot.lower():
        return None
    read = _READERS.get(command[1].lower())
    if read is None:
        return _answer(message, HELP)
    sender: Sender = {"user_id": user, "chat_id": message.chat.id, "topic_id": message.topic}
    now = dt.datetime.fromtimestamp(message.date, zone)
    try:
        if not message.text:
            raise _NotUnderstood(_NO_CAPTION)
        return read(command[3] or "", sender, now)
    except _NotUnderstood as error:
        reason = str(error)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{first['loc'][-1]}: {first['msg']}" if first["loc"] else first["msg"]
    return _answer(message, apology(reason))


def _answer(message: ChatMessage, text: str) -> Message:
    return Message(chat_id=message.chat.id, topic_id=message.topic, text=text)


def _task(text: str, sender: Sender, _now: dt.datetime) -> NewTask:
    title, _, description = text.partition("\n")
    title = " ".join(title.split())
    before, by, day = title.rpartition(" by ")
    values = {**sender, "title": title, "description": description.strip()}
    if by and _DAY.fullmatch(day):
        values |= {"title": before, "due_date": day}
    return NewTask.model_validate(values)


def _tasks(_text: str, sender: Sender, _now: dt.datetime) -> TaskList:
    return TaskList.model_validate(sender)


def _task_done(text: str, sender: Sender, _now: dt.datetime) -> TaskChange:
    return TaskChange.model_validate(
        {**sender, "task": text.strip().removeprefix("#"), "done": True}
    )


def _remind(text: str, sender: Sender, now: dt.datetime) -> Reminder:
    parts = _AT.fullmatch(text.strip())
    if parts is None:
        raise _NotUnderstood("write a day, a time and a text")
    day, time, task, what = parts.groups()
    try:
        written = dt.datetime.fromisoformat(f"{day}T{time:0>5}")
        at = instant_of(written, now.tzinfo or dt.UTC, now.astimezone(dt.UTC))
    except OverflowError:
        raise _NotUnderstood(f"{day} is too far away") from None
    except ValueError:
        raise _NotUnderstood(f"there is no {day} {time}") from None
    if at <= now.astimezone(dt.UTC):
        raise _NotUnderstood(f"{day} {time} is over")
    return Reminder.model_validate(
        {**sender, "text": " ".join(what.split()), "at": at, "task": task}
    )


_READERS: dict[str, Callable[[str, Sender, dt.datetime], Request]] = {
    "task": _task,
    "tasks": _tasks,
    "done": _task_done,
    "remind": _remind,
}
