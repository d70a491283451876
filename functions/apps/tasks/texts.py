"""What the bot says."""

from __future__ import annotations

from collections.abc import Sequence

from .tables import Task

HELP = """\
/task Buy milk - a new task
/task Buy milk by 2027-01-05 - with a due date; further lines are its description
/tasks - your open tasks
/done 37 - task #37 is done
/remind 2027-01-05 09:00 Call Ada - a reminder
/remind 2027-01-05 09:00 #37 Milk! - one about task #37, unless that is done by then"""


def sorry(reason: str) -> str:
    """The answer to a command that can't be read."""
    return f"Sorry: {reason}\n\n{HELP}"


def task_list(tasks: Sequence[Task]) -> str:
    """The user's open tasks, one a line."""
    lines = [f"#{t.task} {t.subject}" + (f" (by {t.due})" if t.due else "") for t in tasks]
    return "\n".join(lines) or "You have no open tasks."
