"""Ten operations a minute a user: what comes in is refused beyond that, what is in waits."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from functions.apps.tasks import NewTask, Update, create_task, obey
from functions.apps.tasks.queues import app
from functions.apps.tasks.tables import Tables
from shared import JobHandle
from shared.errors import KeyLimited
from shared.testing import FakeClock, embedded_store

from .conftest import ADA, BO, Chat, Projects, drain, update


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def send(command: Update) -> bool:
    """False where the store refuses it, and says for how long."""
    try:
        await obey.enqueue(command)
    except KeyLimited as error:
        return not 0 < error.retry_after <= 6
    return True


async def test_of_thirty_racing_commands_of_a_user_ten_come_in() -> None:
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        flood = [send(update(f"/task {n}")) for n in range(30)]
        others = [send(update(f"/task {n}", user=BO)) for n in range(3)]
        let_in = await asyncio.gather(*flood, *others)
        again = await send(update("/task again"))
        clock.advance(6)
        later = [await send(update("/task later")), await send(update("/task later"))]
        stats = await store.stats(app.queues["flrts.telegram.command"])

    assert (sum(let_in[:30]), sum(let_in[30:])) == (10, 3)
    assert (again, later) == (False, [True, False])
    assert stats.sizes["normal"] == 14  # the rest is not even stored


async def test_beyond_ten_a_minute_the_tasks_of_a_user_wait_and_those_of_others_do_not(
    projects: Projects, chat: Chat
) -> None:
    clock = FakeClock()

    async def create(user: int, n: int) -> JobHandle:
        return await create_task.enqueue(NewTask(user_id=user, title=f"{user} {n}"))

    async with embedded_store(clock=clock) as store:
        flood = await asyncio.gather(*(create(ADA, n) for n in range(25)))
        others = await asyncio.gather(*(create(BO, n) for n in range(3)))
        created = [0]
        for _ in range(4):
            await drain(store, clock)
            mine = [one for one in projects.packages.values() if str(ADA) in one["subject"]]
            created.append(len(mine))
            if len(created) == 2:
                assert [(await handle.status()).state for handle in others] == ["completed"] * 3
            clock.advance(60)
        views = [await handle.status() for handle in flood]

    each_minute = [after - before for before, after in pairwise(created)]
    assert sum(each_minute) == 25
    assert each_minute[0] >= 10
    assert max(each_minute) <= 10 + 1  # a drain waits some seconds for a token
    assert {(view.state, view.attempts) for view in views} == {("completed", 1)}
    assert len(chat.sent) == 28
