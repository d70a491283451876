"""Tasks, reminders and chat: members of a team write to a bot on Telegram, which keeps their tasks
in OpenProject, reminds them, and tells them what became of it."""

from __future__ import annotations

from .handlers import (
    create_task,
    receive_event,
    run_command,
    schedule_reminder,
    send_message,
    send_reminder,
    sync_project,
    sync_task,
    update_task,
)
from .notices import (
    tell_changed,
    tell_command_failed,
    tell_created,
    tell_not_changed,
    tell_not_created,
    tell_reminder_not_set,
    tell_reminder_set,
)
from .payloads import (
    Message,
    NewTask,
    ProjectEvent,
    ProjectSync,
    Reminder,
    TaskChange,
    TaskSync,
    Update,
)
from .queues import app

__all__ = [
    "Message",
    "NewTask",
    "ProjectEvent",
    "ProjectSync",
    "Reminder",
    "TaskChange",
    "TaskSync",
    "Update",
    "app",
    "create_task",
    "receive_event",
    "run_command",
    "schedule_reminder",
    "send_message",
    "send_reminder",
    "sync_project",
    "sync_task",
    "tell_changed",
    "tell_command_failed",
    "tell_created",
    "tell_not_changed",
    "tell_not_created",
    "tell_reminder_not_set",
    "tell_reminder_set",
    "update_task",
]
