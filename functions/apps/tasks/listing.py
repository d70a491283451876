"""The list of a user's open tasks, as one message."""

from __future__ import annotations

from collections.abc import Sequence

from functions.providers.telegram import LONGEST_TEXT

from .tables import Task

_ROOM_FOR_REST = 40
"""Of the last line."""


def task_list(tasks: Sequence[Task], total: int) -> str:
    """The first of a user's open tasks, one a line, as many as fit into a message of Telegram; the
    last line tells how many more of these `total` ones there are."""
    if not tasks:
        return "You have no open tasks."
    lines: list[str] = []
    room = LONGEST_TEXT - _ROOM_FOR_REST
    for line in map(_line, tasks):
        room -= _units(line) + 1
        if room < 0:
            break
        lines.append(line)
    more = total - len(lines)
    return "\n".join([*lines, f"… and {more} more"] if more > 0 else lines)


def _line(task: Task) -> str:
    due = f" (by {task.due})" if task.due else ""
    hidden = "" if task.is_visible else " (OpenProject does not show it now)"
    return f"#{task.task} {task.subject}{due}{hidden}"


def _units(text: str) -> int:
    """The length that Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2
