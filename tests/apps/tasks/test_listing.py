"""The list of open tasks is one message, whatever there is to list."""

from __future__ import annotations

import re

import pytest

from functions.apps.tasks import run_command
from functions.apps.tasks.handlers import MOST_LISTED
from functions.apps.tasks.listing import task_list
from functions.apps.tasks.tables import NOT_VISIBLE, Tables, Task
from functions.providers.openproject import WorkPackage
from functions.providers.telegram import LONGEST_TEXT
from shared.testing import FakeClock, embedded_store

from .conftest import ADA, Chat, drain, update


def tasks(count: int, subject: str = "x", version: int = 0) -> list[Task]:
    return [Task(n, f"job{n}", ADA, subject, "2027-01-05", 0, version) for n in range(1, count + 1)]


@pytest.mark.parametrize("subject", ["x", "x" * 243, "😀" * 255])
@pytest.mark.parametrize("count", [1, 7, 15, 16, 36, 50])
@pytest.mark.parametrize("beyond", [0, 1, 10_000])
def test_a_list_fits_and_tells_what_it_leaves_out(count: int, subject: str, beyond: int) -> None:
    text = task_list(tasks(count, subject), count + beyond)

    *listed, last = text.split("\n")
    rest = re.fullmatch(r"… and (\d+) more", last)
    shown = len(listed) + (rest is None)
    assert len(text.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert shown + int(rest[1] if rest else 0) == count + beyond


def test_a_task_out_of_sight_is_listed_as_such() -> None:
    assert task_list(tasks(1, version=NOT_VISIBLE), 1) == (
        "#1 x (by 2027-01-05) (OpenProject does not show it now)"
    )


@pytest.mark.parametrize(("count", "length"), [(36, 243), (MOST_LISTED + 1, 1)])
async def test_a_user_with_many_tasks_gets_a_list(
    count: int, length: int, tables: Tables, chat: Chat
) -> None:
    for number in range(1, count + 1):
        values = {"id": number, "lockVersion": 0, "subject": "x" * length}
        tables.add(f"job{number}", ADA, WorkPackage.model_validate(values))
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await run_command.enqueue(update("/tasks"))
        await drain(store, clock)

    ((_, text),) = chat.sent
    listed = text.count("#")
    assert 10 < listed < count
    assert text.endswith(f"\n… and {count - listed} more")
