"""Ten operations a minute a user: what comes in is refused beyond that, what is in waits."""

from __future__ import annotations

import asyncio

import pytest

from functions.apps.tasks import NewTask, Update, create_task, run_command
from functions.apps.tasks.queues import app
from functions.apps.tasks.tables import Tables
from shared import JobHandle
from shared.errors import KeyLimited
from shared.store.views import JobView
from shared.testing import FakeClock, embedded_store, run_virtually

from .conftest import ADA, BO, Chat, Projects, drain, update


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def send(command: Update) -> bool:
    """False where the store refuses it, and says for how long."""
    try:
        await run_command.enqueue(command)
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


def test_beyond_ten_a_minute_the_tasks_of_a_user_wait_and_those_of_others_do_not(
    projects: Projects, chat: Chat
) -> None:
    clock = FakeClock()
    created = [0]
    views: dict[int, list[JobView]] = {}

    async def create(user: int, n: int) -> JobHandle:
        return await create_task.enqueue(NewTask(user_id=user, title=f"{user} {n}"))

    async def three_minutes() -> None:
        async with embedded_store(clock=clock) as store:
            handles = await asyncio.gather(
                *(create(ADA, n) for n in range(25)), *(create(BO, n) for n in range(3))
            )
            for minute in range(3):
                await drain(store, clock)
                views[minute] = [await handle.status() for handle in handles]
                created.append(sum(view.state == "completed" for view in views[minute][:25]))
                await clock.sleep(60)

    run_virtually(three_minutes(), clock)

    assert [view.state for view in views[0][25:]] == ["completed"] * 3
    assert [view.state for view in views[0][:25]].count("completed") >= 10
    assert all(count <= 10 + 10 * minute for minute, count in enumerate(created))  # a burst first
    assert {(view.state, view.attempts) for view in views[2]} == {("completed", 1)}
    assert (len(projects.packages), len(chat.sent)) == (28, 28)
