"""The texts of the bot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .payloads import Reminder

if TYPE_CHECKING:
    from .tables import Task

HELP = """\
/task Buy milk - a new task
/task Buy milk by 2027-01-05 - with a due date; further lines are its description
/tasks - your open tasks
/done 37 - task #37 is done
/remind 2027-01-05 09:00 Call Ada - a reminder
/remind 2027-01-05 09:00 #37 Milk! - one about task #37, unless that is done by then"""
LONGEST = 300
"""Characters of what is quoted."""


def apology(reason: str) -> str:
    """The answer to a command that can't be read."""
    return f"Sorry: {reason}\n\n{HELP}"


def task_created(result: Mapping[str, Any]) -> str:
    """That a task is created. `result`: of its job."""
    return f"Task created: {result['subject']} (#{result['task']})"


def task_changed(result: Mapping[str, Any]) -> str:
    """That a task is changed, or done. `result`: of its job."""
    what = "done" if result["closed"] else "changed"
    return f"Task {what}: {result['subject']} (#{result['task']})"


def reminder_set(reminder: Reminder, zone: dt.tzinfo) -> str:
    """That a reminder will come."""
    return f"I will remind you on {reminder.at.astimezone(zone):%Y-%m-%d at %H:%M}: {reminder.text}"


def reminder(due: Reminder, task: Task | None) -> str:
    """The reminder itself. `task`: what is known of the task that it is about."""
    text = f"Reminder: {due.text}"
    if task is None or task.is_visible:
        return text
    return f"{text}\nOpenProject does not show task #{task.task} now: it may be done."


def failure(verb: str, what: str, reason: str | None) -> str:
    """That something failed for good."""
    why = reason or "It does not work now; try it again later."
    return f"Failed to {verb}: {what[:LONGEST]}\n{why[:LONGEST]}"
