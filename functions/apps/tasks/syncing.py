"""The comparison of our open tasks with OpenProject: a page a request while it shows them all.

It refuses a whole list for one work package that is deleted or out of sight. So a list that is
refused is asked in shorter ones, and tasks that are known to be hidden are asked alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from functions.providers.openproject import PAGE, OpenProject
from shared import JobContext

from .tables import Tables

SECONDS_A_REQUEST = 16.0
"""The longest that a request may take."""
STEP = 4
"""How many times shorter a list is after one that was refused, and longer after one that was not:
the fourth request for a page at the latest tells of a task."""
HIDDEN = 20
"""Hidden tasks that a comparison asks for, a request each. Those that are deleted in OpenProject
stay hidden until their users are done with them, so there may be any number."""


class Comparison(NamedTuple):
    """The tasks that changed, went out of sight or came back, up to task `last`; `more`: open ones
    come after that."""

    different: list[int]
    last: int
    more: bool


async def compare(
    after: int, job: JobContext, tables: Tables, projects: Callable[[], OpenProject]
) -> Comparison:
    """Compare the open tasks of higher numbers than `after`: one list, and more as far as the job's
    time goes. The first part of a comparison also looks for hidden tasks that are back. Without
    open tasks it needs no OpenProject, and so no account there."""
    different = [] if after else await _back(job, tables, projects)
    last, most, more = after, PAGE, True
    while more and (last == after or job.budget_left() > SECONDS_A_REQUEST):
        known = await asyncio.to_thread(tables.open_tasks, last, most)
        shown = [task for task in known if task.is_visible]
        versions = await projects().versions([task.task for task in shown]) if shown else {}
        if versions is None and len(shown) > 1:
            most = max(1, len(known) // STEP)
            continue
        found = versions or {}
        different += [task.task for task in shown if found.get(task.task) != task.version]
        more = len(known) == most
        last = known[-1].task if known else last
        most = most if versions is None else min(PAGE, most * STEP)
    return Comparison(different, last, more)


async def _back(job: JobContext, tables: Tables, projects: Callable[[], OpenProject]) -> list[int]:
    """Hidden tasks that OpenProject shows again."""
    back: list[int] = []
    for task in await asyncio.to_thread(tables.some_hidden, HIDDEN):
        if job.budget_left() <= SECONDS_A_REQUEST:
            break
        if await projects().get(task.task) is not None:
            back.append(task.task)
    return back
