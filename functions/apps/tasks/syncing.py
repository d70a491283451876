"""The comparison of our open tasks with OpenProject, a page a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from functions.providers.openproject import PAGE, OpenProject
from shared import JobContext

from .tables import NOT_VISIBLE, Tables

SECONDS_A_PAGE = 16.0
"""The longest that a request may take."""


class Comparison(NamedTuple):
    """The tasks that changed, went out of sight or came back, up to task `last`; `more`: open ones
    come after that."""

    different: list[int]
    last: int
    more: bool


async def compare(
    after: int, job: JobContext, tables: Tables, projects: Callable[[], OpenProject]
) -> Comparison:
    """Compare the open tasks of higher numbers than `after`: one page, and more as far as the job's
    time goes. Without open tasks it needs no OpenProject, and so no account there."""
    different: list[int] = []
    last, more = after, True
    while more and (last == after or job.budget_left() > SECONDS_A_PAGE):
        known = await asyncio.to_thread(tables.open_tasks, last, PAGE)
        if known:
            versions = await projects().versions([task.task for task in known])
            different += [
                task.task for task in known if versions.get(task.task, NOT_VISIBLE) != task.version
            ]
            last = known[-1].task
        more = len(known) == PAGE
    return Comparison(different, last, more)
