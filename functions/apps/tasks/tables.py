"""The tables of the application: which job created which task, and which message is sent."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

from functions.providers.database import Database, database
from functions.providers.openproject import WorkPackage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks_tasks (
    task INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, user_id INTEGER NOT NULL,
    subject TEXT NOT NULL, due TEXT, closed INTEGER NOT NULL, version INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tasks_messages (
    job TEXT PRIMARY KEY, message INTEGER NOT NULL, day TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_messages_day ON tasks_messages (day);
"""
_ADD = "INSERT INTO tasks_tasks VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_TAKE = """
UPDATE tasks_tasks SET job = ?, user_id = ?, subject = ?, due = ?, closed = ?, version = ?
WHERE task = ?
"""
_UPDATE = """
UPDATE tasks_tasks SET subject = ?, due = ?, closed = ?, version = ?
WHERE task = ? AND version <= ?
"""
_HIDE = "UPDATE tasks_tasks SET version = ? WHERE task = ? AND closed = 0"
_OPEN = "SELECT * FROM tasks_tasks WHERE closed = 0 AND task > ? ORDER BY task LIMIT ?"
_HIDDEN = """
SELECT * FROM tasks_tasks WHERE closed = 0 AND version = ? ORDER BY random() LIMIT ?
"""
_OPEN_OF = "SELECT * FROM tasks_tasks WHERE closed = 0 AND user_id = ? ORDER BY task LIMIT ?"
_COUNT_OF = "SELECT count(*) FROM tasks_tasks WHERE closed = 0 AND user_id = ?"
_SENT = "INSERT INTO tasks_messages VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
NOT_VISIBLE = -1
"""The version of a task that OpenProject does not show: deleted, or hidden for a while. It is lower
than any that OpenProject gives, so the task's state is kept again as soon as it is shown."""
KEPT = dt.timedelta(days=14)
"""For which it is remembered which messages are sent: longer than a job of theirs is kept."""


class Task(NamedTuple):
    """A task as it was last seen in OpenProject. `job`: the unique id of the one that created it;
    `due`: ISO 8601; `closed`: 0 or 1; `version`: the one that is kept, or NOT_VISIBLE."""

    task: int
    job: str
    user_id: int
    subject: str
    due: str | None
    closed: int
    version: int

    @property
    def is_visible(self) -> bool:
        """True if OpenProject showed it when it was last read."""
        return self.version != NOT_VISIBLE


class Tables:
    """The application's rows. Any number of equal calls leave the same rows."""

    def __init__(self, tables: Database) -> None:
        self._db = tables

    def add(self, job: str, user: int, package: WorkPackage) -> Task:
        """Remember that this job created this task, for this user: unless another run of the job
        has created one, which then counts.

        A row of this number is of a task that is gone: OpenProject gives a number again where it
        was restored from a backup, and another OpenProject gives its own. The new task replaces it.
        """
        due, closed = _due(package), int(package.is_closed)
        task = Task(package.id, job, user, package.subject, due, closed, package.version)
        if self._db.change(_ADD, task) == 1:
            return task
        made = self.created_by(job)
        if made is None:
            self._db.change(_TAKE, (*task[1:], task.task))
        return made or task

    def update(self, package: WorkPackage) -> bool:
        """Keep a task's new state, unless a later one is kept; False for one that we don't have."""
        state = (package.subject, _due(package), int(package.is_closed), package.version)
        return self._db.change(_UPDATE, (*state, package.id, package.version)) == 1

    def hide(self, task: int) -> None:
        """Keep that OpenProject does not show an open task. It stays open: its project may only be
        out of sight."""
        self._db.change(_HIDE, (NOT_VISIBLE, task))

    def close(self, task: int) -> None:
        """Close a task here that OpenProject does not show."""
        self._db.change("UPDATE tasks_tasks SET closed = 1 WHERE task = ?", (task,))

    def created_by(self, job: str) -> Task | None:
        """The task that this job created."""
        return self._one("SELECT * FROM tasks_tasks WHERE job = ?", job)

    def task(self, number: int) -> Task | None:
        """The task of this number."""
        return self._one("SELECT * FROM tasks_tasks WHERE task = ?", number)

    def open_tasks(self, after: int, most: int) -> list[Task]:
        """Open tasks with numbers after this one, in order."""
        return [Task(*row) for row in self._db.select(_OPEN, (after, most))]

    def some_hidden(self, most: int) -> list[Task]:
        """Open tasks that OpenProject did not show when they were last read: all, or chosen at
        random where there are more."""
        return [Task(*row) for row in self._db.select(_HIDDEN, (NOT_VISIBLE, most))]

    def open_tasks_of(self, user: int, most: int) -> list[Task]:
        """A user's open tasks, oldest first."""
        return [Task(*row) for row in self._db.select(_OPEN_OF, (user, most))]

    def open_count_of(self, user: int) -> int:
        """The number of a user's open tasks."""
        return int(self._db.select(_COUNT_OF, (user,))[0][0])

    def mark_sent(self, job: str, message: int, today: dt.date) -> None:
        """Remember that this job's message is sent, and forget those of long ago."""
        self._db.change(_SENT, (job, message, today.isoformat()))
        before = (today - KEPT).isoformat()
        self._db.change("DELETE FROM tasks_messages WHERE day < ?", (before,))

    def message_of(self, job: str) -> int | None:
        """The message that this job sent."""
        rows = self._db.select("SELECT message FROM tasks_messages WHERE job = ?", (job,))
        return int(rows[0][0]) if rows else None

    def _one(self, query: str, value: object) -> Task | None:
        rows = self._db.select(query, (value,))
        return Task(*rows[0]) if rows else None


def tables_in(folder: Path) -> Tables:
    """The application's tables; in this folder where no database is configured."""
    return Tables(database(folder / "tasks.sqlite3", _SCHEMA))


def _due(package: WorkPackage) -> str | None:
    return None if package.due is None else package.due.isoformat()
