"""The payloads of tasks, reminders and chat."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from functions.providers.instant import Instant

_DIGITS = re.compile("-?[0-9]+")
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that show nothing."""
_INVISIBLE = {"Cc", "Cf", "Mn", "Zl", "Zp", "Zs"}
"""Categories of characters that show nothing by themselves."""


def _check_digits(value: object) -> object:
    # Python and pydantic also read 3_7 as 37.
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("give a number in digits, as 37")
    return value


def _check_visible(value: str) -> str:
    from unicodedata import category  # noqa: PLC0415 - cold start: only these payloads need it

    if all(one in _BLANK_LETTERS or category(one) in _INVISIBLE for one in value):
        raise ValueError("give at least one character that can be seen")
    return value


_Digits = BeforeValidator(_check_digits)
UserId = Annotated[int, _Digits, Field(gt=0, lt=2**52)]
"""A user of Telegram. Its private chat with the bot has the same id."""
ChatId = Annotated[int, _Digits, Field(gt=-(2**52), lt=2**52)]
TopicId = Annotated[int, _Digits, Field(gt=0, lt=2**52)]
"""A topic of a group that is a forum."""
TaskNumber = Annotated[int, _Digits, Field(gt=0, lt=2**31)]
"""The number of a work package in OpenProject."""
Title = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
    AfterValidator(_check_visible),
]
Text = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Request(_Payload):
    """What a user asks for. `chat_id` and `topic_id`: where the user is told what became of it;
    absent: in private."""

    user_id: UserId
    chat_id: ChatId | None = None
    topic_id: TopicId | None = None

    @property
    def chat(self) -> int:
        """The chat in which the user is told."""
        return self.user_id if self.chat_id is None else self.chat_id


class NewTask(Request):
    """A task to create."""

    title: Title
    description: Text = ""
    due_date: dt.date | None = None


class TaskChange(Request):
    """A change of one of the user's tasks. What is absent stays."""

    task: TaskNumber
    title: Title | None = None
    description: Text | None = None
    due_date: dt.date | None = None
    done: bool = False

    @model_validator(mode="after")
    def _require_change(self) -> TaskChange:
        if (self.title, self.description, self.due_date, self.done) == (None, None, None, False):
            raise ValueError("give what to change: title, description, due_date or done")
        return self


class Reminder(Request):
    """A text to send at an instant; one about a task is sent only if that is open then."""

    text: Title
    at: Instant
    task: TaskNumber | None = None


class Message(_Payload):
    """A message of the bot."""

    chat_id: ChatId
    topic_id: TopicId | None = None
    text: Annotated[str, Field(min_length=1, max_length=8192)]


class TaskSync(_Payload):
    """A task whose state is to be read from OpenProject."""

    task: TaskNumber


class ProjectSync(_Payload):
    """A comparison of the open tasks with OpenProject. `after`: those of higher numbers only."""

    after: int = Field(0, ge=0)


class _Foreign(BaseModel):
    """What another service writes: more fields than are read here."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class _Sender(_Foreign):
    id: UserId
    is_bot: bool = False


class _Chat(_Foreign):
    id: ChatId


class ChatMessage(_Foreign):
    """A message in a chat."""

    date: int = Field(ge=0, lt=2**37)  # until the year 6325
    chat: _Chat
    sender: _Sender | None = Field(None, alias="from")
    text: Text | None = None
    caption: Text | None = None
    thread: TopicId | None = Field(None, alias="message_thread_id")
    in_topic: bool = Field(False, alias="is_topic_message")

    @property
    def written(self) -> str:
        """Its text or, of a picture or another file, what is written below it."""
        return self.text or self.caption or ""

    @property
    def topic(self) -> int | None:
        """The topic of a forum. A thread of replies in another group is none."""
        return self.thread if self.in_topic else None


class Update(_Foreign):
    """An update as Telegram sends it to a bot: https://core.telegram.org/bots/api#update. `message`
    is absent in those of other kinds."""

    update_id: int
    message: ChatMessage | None = None

    @property
    def user(self) -> int | None:
        """The user that wrote it; None where that is another bot, or nobody."""
        sender = self.message and self.message.sender
        return sender.id if sender and not sender.is_bot else None


class _WorkPackage(_Foreign):
    id: TaskNumber
    version: int = Field(alias="lockVersion")


class ProjectEvent(_Foreign):
    """An event of OpenProject's webhook. `work_package` is absent where another thing changed.

    https://www.openproject.org/docs/system-admin-guide/api-and-webhooks/
    """

    action: str = Field(max_length=64)
    work_package: _WorkPackage | None = None
