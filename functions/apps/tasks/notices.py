"""What users are told when something that they asked for has ended: once, whatever crashes. Each
notice is a job of its own beside the bot's other messages, so a failed one fails nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

from shared import Completed, ConfigurationError, Dead, JobContext

from .handlers import create_task, run_command, schedule_reminder, send_message, update_task
from .payloads import Message, NewTask, Reminder, Request, TaskChange, Update
from .queues import telegram_outbound
from .settings import bot_name, members, timezone
from .texts import failure, reminder_set, task_changed, task_created

P = TypeVar("P", NewTask, TaskChange, Reminder)


@create_task.on_completed(queue=telegram_outbound)
async def tell_created(end: Completed[NewTask], job: JobContext) -> None:
    """Tell the number of the new task."""
    await _tell(end.payload, task_created(end.result), job)


@update_task.on_completed(queue=telegram_outbound)
async def tell_changed(end: Completed[TaskChange], job: JobContext) -> None:
    """Tell that the task is changed, or done."""
    await _tell(end.payload, task_changed(end.result), job)


@schedule_reminder.on_completed(queue=telegram_outbound)
async def tell_reminder_set(end: Completed[Reminder], job: JobContext) -> None:
    """Tell when the reminder comes."""
    await _tell(end.payload, reminder_set(end.payload, timezone()), job)


@create_task.on_dead(queue=telegram_outbound)
async def tell_not_created(end: Dead[NewTask], job: JobContext) -> None:
    """Tell that the task could not be created, and why."""
    await _tell_failure("create task", end, lambda task: task.title, job)


@update_task.on_dead(queue=telegram_outbound)
async def tell_not_changed(end: Dead[TaskChange], job: JobContext) -> None:
    """Tell that the task could not be changed, and why."""
    await _tell_failure("change task", end, lambda change: f"#{change.task}", job)


@schedule_reminder.on_dead(queue=telegram_outbound)
async def tell_reminder_not_set(end: Dead[Reminder], job: JobContext) -> None:
    """Tell that no reminder will come, and why."""
    await _tell_failure("set reminder", end, lambda reminder: reminder.text, job)


@run_command.on_dead(queue=telegram_outbound)
async def tell_command_failed(end: Dead[Update], job: JobContext) -> None:
    """Tell a member of the team that a command failed; nobody else, and nobody where the settings
    name no members."""
    message = end.payload and end.payload.message
    if message and _is_command(end.payload):
        text = failure("run", message.written, _reason(end))
        await _send(message.chat.id, message.topic, text, job)


def _is_command(update: Update | None) -> bool:
    """True if a member wrote this to the bot: not a stranger, and not to others in a group."""
    from .commands import read_command  # noqa: PLC0415 - cold start

    try:
        # The zone is that of the times in a command, and changes nothing of whether it is one.
        return (
            update is not None and read_command(update, members(), dt.UTC, bot_name()) is not None
        )
    except ConfigurationError:
        return False


async def _tell_failure(
    action: str, end: Dead[P], subject: Callable[[P], str], job: JobContext
) -> None:
    """Tell that an action on this subject failed, and why; no payload names no chat."""
    if (payload := end.payload) is not None:
        await _tell(payload, failure(action, subject(payload), _reason(end)), job)


def _reason(end: Dead[Any]) -> str | None:
    """Why it failed, for users: only a refusal has words for them. Errors of machines name
    addresses and the like."""
    return end.error.message if end.error.type == "Discard" else None


async def _tell(request: Request, text: str, job: JobContext) -> None:
    await _send(request.chat, request.topic_id, text, job)


async def _send(chat: int, topic: int | None, text: str, job: JobContext) -> None:
    await send_message(Message(chat_id=chat, topic_id=topic, text=text), job)
