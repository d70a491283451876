"""A task is created in OpenProject once, and changed by its user only."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest

from functions.apps.tasks import NewTask, TaskChange, create_task, update_task
from functions.apps.tasks.tables import Tables
from functions.providers.openproject import WorkPackage
from shared import ConfigurationError, Discard
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext
from .conftest import ADA, BO, Chat, Projects, drain

MILK = NewTask(user_id=ADA, title="Buy milk", description="Two litres")


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def test_a_task_is_a_work_package(projects: Projects, context: MakeContext) -> None:
    new = MILK.model_copy(update={"due_date": dt.date(2027, 1, 5)})

    result = await create_task(new, context())

    assert result == {"task": 37, "subject": "Buy milk"}
    package = projects.packages[37]
    assert package["subject"] == "Buy milk"
    assert package["dueDate"] == "2027-01-05"
    assert package["description"]["raw"].startswith("Two litres\n\n<!-- ")


async def test_runs_of_one_job_create_one_task(projects: Projects, context: MakeContext) -> None:
    results = [await create_task(MILK, context("a")) for _ in range(3)]
    other = await create_task(MILK, context("b"))

    assert [result["task"] for result in results] == [37, 37, 37]
    assert other["task"] == 38
    assert projects.posts == 2


async def test_an_answer_that_is_lost_creates_no_second_task(projects: Projects) -> None:
    projects.faults = ["lost"]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, create_task, MILK, clock=clock)

    assert (view.state, view.attempts) == ("completed", 2)
    assert view.history["result"] == {"task": 37, "subject": "Buy milk"}
    assert (projects.posts, len(projects.packages)) == (1, 1)


async def test_a_function_that_dies_after_the_creation_creates_no_second_task(
    projects: Projects,
    context: MakeContext,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "add", die)
        with pytest.raises(KeyboardInterrupt):
            await create_task(MILK, context("a"))
    crashed = context("a")
    crashed.redelivered = True  # as the claim of a job tells whose function died

    result = await create_task(MILK, crashed)

    assert result == {"task": 37, "subject": "Buy milk"}
    assert projects.posts == 1
    created = tables.created_by(crashed.id)
    assert created is not None
    assert (created.task, created.user_id) == (37, ADA)


async def test_a_redrive_creates_no_second_task(projects: Projects, chat: Chat) -> None:
    clock = FakeClock()
    projects.faults = ["lost", *[httpx.Response(503)] * 2]  # created, and then never found

    async with embedded_store(clock=clock) as store:
        handle = await create_task.enqueue(MILK, job_id="n8n-17")
        for _ in range(4):
            await drain(store, clock, seconds=60)
        assert (await handle.status()).state == "dead"
        for _ in range(2):
            await handle.redrive()
            await drain(store, clock, seconds=60)
        view = await handle.status()

    assert (view.state, view.result) == ("completed", {"task": 37, "subject": "Buy milk"})
    assert projects.posts == 1


async def test_a_first_run_asks_openproject_for_nothing_but_the_task(
    projects: Projects, context: MakeContext
) -> None:
    await create_task(MILK, context())

    assert [request.method for request in projects.requests] == ["POST"]


@pytest.mark.parametrize(("status", "attempts"), [(429, 1), (503, 2)])
async def test_a_failure_that_may_pass_is_retried_when_openproject_says(
    status: int, attempts: int, projects: Projects
) -> None:
    projects.faults = [httpx.Response(status, headers={"retry-after": "20"})]
    clock = FakeClock()
    begun = clock.epoch_ms()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, create_task, MILK, clock=clock)

    assert (view.state, view.attempts, projects.posts) == ("completed", attempts, 2)
    assert clock.epoch_ms() - begun >= 20_000


async def test_a_task_that_fails_twice_is_created_by_the_third_attempt(projects: Projects) -> None:
    # A retry first searches for the work package, which succeeds.
    projects.faults = [httpx.Response(500), None, httpx.Response(500)]
    clock = FakeClock()
    begun = clock.epoch_ms()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, create_task, MILK, clock=clock)

    assert (view.state, view.attempts, len(projects.packages)) == ("completed", 3, 1)
    assert 6_000 <= clock.epoch_ms() - begun < 12_000


async def test_a_task_that_fails_always_is_a_dead_letter(projects: Projects) -> None:
    projects.faults = [httpx.Response(500)] * 9
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, create_task, MILK, clock=clock)

    assert (view.state, view.attempts, len(projects.requests)) == ("dead", 3, 3)


async def test_a_refusal_is_a_dead_letter_at_once(projects: Projects) -> None:
    projects.faults = [httpx.Response(422, json={"message": "Subject can't be blank."})]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, create_task, MILK, clock=clock)

    assert (view.state, view.attempts, projects.posts) == ("dead", 1, 1)
    assert "Subject can't be blank." in view.history["errors"][0]["message"]


@pytest.mark.parametrize("closed", [False, True])
async def test_a_number_that_openproject_gives_again_is_the_new_task_s(
    closed: bool, projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_task(MILK, context("a"))
    for version in range(3):
        projects.edit(37, subject=f"Ada's secret plan {version}", closed=closed)
    tables.update(WorkPackage.model_validate(projects.packages[37]))
    projects.packages = {}  # OpenProject is restored from a backup, or another one is used

    result = await create_task(NewTask(user_id=BO, title="Bo's plan"), context("b"))

    assert result == {"task": 37, "subject": "Bo's plan"}
    assert await create_task(NewTask(user_id=BO, title="Bo's plan"), context("b")) == result
    assert [task.subject for task in tables.open_tasks_of(BO, 9)] == ["Bo's plan"]
    assert tables.open_tasks_of(ADA, 9) == []
    projects.edit(37, subject="Bo's secret")
    assert tables.update(WorkPackage.model_validate(projects.packages[37]))
    assert tables.open_tasks_of(ADA, 9) == []
    with pytest.raises(Discard, match="you have no task #37"):
        await update_task(TaskChange(user_id=ADA, task=37, done=True))
    assert (await update_task(TaskChange(user_id=BO, task=37, done=True)))["closed"] is True


def test_two_runs_that_both_created_a_task_tell_the_same_one(tables: Tables) -> None:
    first, second = ({"id": n, "lockVersion": 0, "subject": "Milk"} for n in (37, 38))

    made = [tables.add("a", ADA, WorkPackage.model_validate(one)) for one in (first, second)]

    assert [task.task for task in made] == [37, 37]
    assert tables.task(38) is None


async def test_a_user_changes_a_task_of_their_own(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_task(MILK, context())

    result = await update_task(TaskChange(user_id=ADA, task=37, title="Buy oat milk", done=True))

    assert result == {"task": 37, "subject": "Buy oat milk", "closed": True}
    task = tables.task(37)
    assert task is not None
    assert (task.subject, task.closed, task.version) == ("Buy oat milk", 1, 1)


async def test_nobody_changes_the_tasks_of_others(projects: Projects, context: MakeContext) -> None:
    await create_task(MILK, context())
    projects.add("Fire everybody")

    for user, number in ((BO, 37), (ADA, 38), (ADA, 99)):
        with pytest.raises(Discard, match=f"you have no task #{number}"):
            await update_task(TaskChange(user_id=user, task=number, done=True))

    assert not any(
        package["_embedded"]["status"]["isClosed"] for package in projects.packages.values()
    )


@pytest.mark.parametrize(
    ("change", "told", "listed"),
    [
        ({"title": "Buy oat milk"}, "OpenProject does not show task #37 now", [False]),
        ({"done": True}, "task #37: it is off your list here, and not closed there", []),
    ],
)
async def test_a_task_out_of_sight_can_t_be_changed_and_its_user_can_drop_it(
    change: dict[str, Any],
    told: str,
    listed: list[bool],
    projects: Projects,
    context: MakeContext,
    tables: Tables,
) -> None:
    await create_task(MILK, context())
    del projects.packages[37]

    with pytest.raises(Discard, match=told):
        await update_task(TaskChange(user_id=ADA, task=37, **change))

    assert [task.is_visible for task in tables.open_tasks_of(ADA, 10)] == listed


async def test_a_change_that_meets_another_one_is_made_of_the_new_state(
    projects: Projects, context: MakeContext
) -> None:
    await create_task(MILK, context())
    conflict = httpx.Response(409, json={"_type": "Error", "message": "conflict"})
    projects.faults = [None, conflict]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        change = TaskChange(user_id=ADA, task=37, done=True)
        view = await run_job(store, update_task, change, clock=clock)

    assert (view.state, view.attempts) == ("completed", 2)


async def test_what_is_not_set_is_one_clear_sentence(
    projects: Projects, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENPROJECT_API_KEY")

    with pytest.raises(ConfigurationError, match="OPENPROJECT_API_KEY"):
        await create_task(MILK, context())
