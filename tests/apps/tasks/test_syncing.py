"""What changes in OpenProject is known here: from its webhook, and from comparisons."""

from __future__ import annotations

import random

import httpx
import pytest

from functions.apps.tasks import (
    NewTask,
    ProjectEvent,
    ProjectSync,
    TaskSync,
    app,
    create_task,
    receive_event,
    sync_project,
    sync_task,
)
from functions.apps.tasks.syncing import HIDDEN
from functions.apps.tasks.tables import Tables
from functions.providers.openproject import WorkPackage
from shared.declare.options import DedupOption
from shared.testing import FakeClock, embedded_store, tick

from ..conftest import MakeContext
from .conftest import ADA, Projects, drain


@pytest.fixture(autouse=True)
def _tables(tables: Tables) -> None:
    """Every test has tables, in a file and in Postgres."""


async def create_tasks(context: MakeContext, *titles: str) -> None:
    for title in titles:
        await create_task(NewTask(user_id=ADA, title=title), context(title.replace(" ", "-")))


def event(number: int, version: int, action: str = "work_package:updated") -> ProjectEvent:
    """What OpenProject 15 posts, in part."""
    return ProjectEvent.model_validate(
        {
            "action": action,
            "work_package": {
                "_type": "WorkPackage",
                "id": number,
                "lockVersion": version,
                "subject": "Buy milk",
                "description": {"format": "markdown", "raw": "", "html": ""},
                "dueDate": None,
                "createdAt": "2024-12-31T13:09:24.901Z",
                "updatedAt": "2024-12-31T18:10:05.102Z",
                "_embedded": {"status": {"_type": "Status", "id": 1, "isClosed": False}},
                "_links": {"self": {"href": f"/api/v3/work_packages/{number}"}},
            },
        }
    )


async def test_a_change_that_the_webhook_tells_is_read(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "Buy milk")
    projects.edit(37, subject="Buy oat milk", dueDate="2027-01-05", closed=True)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await receive_event(event(37, 1), context("first"))
        await receive_event(event(37, 1), context("first"))
        await drain(store, clock)
        again = await receive_event(event(37, 1), context("again"))
        await drain(store, clock)
        read = sum(request.method == "GET" for request in projects.requests)

    task = tables.task(37)
    assert task is not None
    assert (task.subject, task.due, task.closed, task.version) == (
        "Buy oat milk",
        "2027-01-05",
        1,
        1,
    )
    assert (again, read) == ({"ignored": True}, 1)


@pytest.mark.parametrize("dedup", [{"id": "37-1", "ttl": 2_678_400.0}, {"ttl": 2_678_400.0}])
async def test_no_caller_can_take_the_place_of_a_change_that_is_read(
    projects: Projects, context: MakeContext, tables: Tables, dedup: DedupOption
) -> None:
    await create_tasks(context, "Buy milk")
    projects.edit(37, subject="Buy oat milk")
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await sync_task.enqueue(TaskSync(task=37), dedup=dedup, delay=31_622_400.0)
        await receive_event(event(37, 1), context())
        await drain(store, clock)

    task = tables.task(37)
    assert task is not None
    assert task.subject == "Buy oat milk"


async def test_a_change_while_one_is_read_is_read_too(
    projects: Projects, context: MakeContext
) -> None:
    await create_tasks(context, "Buy milk")

    async with embedded_store():
        jobs = [
            (await receive_event(event(37, version), context(f"event-{n}")))["job"]
            for n, version in enumerate((1, 2, 2, 3))
        ]

    assert len(set(map(str, jobs))) == 4


@pytest.mark.parametrize(
    "other",
    [
        event(99, 1),
        event(37, 1, "work_package_comment:comment"),
        ProjectEvent.model_validate({"action": "project:updated", "project": {"id": 1}}),
        ProjectEvent.model_validate({"action": "work_package:deleted"}),
    ],
)
async def test_what_concerns_no_task_of_ours_is_ignored(
    other: ProjectEvent, projects: Projects, context: MakeContext
) -> None:
    await create_tasks(context, "Buy milk")

    assert await receive_event(other, context()) == {"ignored": True}


async def test_what_is_older_replaces_nothing(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "Buy milk")
    old = dict(projects.packages[37])
    projects.edit(37, subject="Buy oat milk")
    await sync_task(TaskSync(task=37))
    projects.packages[37] = old  # as an answer that was under way for long

    result = await sync_task(TaskSync(task=37))

    task = tables.task(37)
    assert task is not None
    assert (task.subject, result["kept"]) == ("Buy oat milk", False)


async def test_a_comparison_finds_what_the_webhook_did_not_tell(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "one", "two", "three", "four")
    projects.edit(37, subject="one!")
    projects.edit(38, closed=True)
    del projects.packages[39]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        result = await sync_project(ProjectSync(), context("sync", queue="flrts.openproject.sync"))
        await drain(store, clock)
        again = await sync_project(ProjectSync(), context("next", queue="flrts.openproject.sync"))

    assert result == {"different": 3, "more": False}
    assert again == {"different": 0, "more": False}
    assert [(task.task, task.subject, task.is_visible) for task in tables.open_tasks(0, 10)] == [
        (37, "one!", True),
        (39, "three", False),
        (40, "four", True),
    ]


MANY = range(37, 97)
GONE = {
    "none": set[int](),
    "the first": {37},
    "the last": {96},
    "one": {61},
    "neighbours": {60, 61, 62},
    "every other one": set(MANY[::2]),
    "the first page": set(MANY[:25]),
    "all": set(MANY),
    **{f"random {seed}": set(random.Random(seed).sample(MANY, 3 * seed)) for seed in range(1, 7)},
}


def lists_and_reads(projects: Projects) -> tuple[int, int]:
    """How many lists and how many single tasks were asked for since the last call."""
    lists = sum("filters" in request.url.params for request in projects.requests)
    reads = len(projects.requests) - lists
    projects.requests.clear()
    return lists, reads


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
async def test_tasks_that_are_gone_hide_no_change_of_others(
    gone: set[int],
    projects: Projects,
    context: MakeContext,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenProject refuses a list of ids for one that it does not show."""
    monkeypatch.setattr("functions.apps.tasks.syncing.PAGE", 25)
    for number in MANY:
        made = WorkPackage.model_validate({"id": projects.add(), "lockVersion": 0, "subject": "-"})
        tables.add(f"job {number}", ADA, made)
    changed = set(MANY[::5]) - gone
    for number in changed:
        projects.edit(number, subject="changed")
    for number in gone:
        del projects.packages[number]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        result = await sync_project(ProjectSync(), context("sync", queue="flrts.openproject.sync"))
        asked = lists_and_reads(projects)
        await drain(store, clock)
        lists_and_reads(projects)
        again = await sync_project(ProjectSync(), context("next", queue="flrts.openproject.sync"))
        then = lists_and_reads(projects)

    assert result == {"different": len(gone | changed), "more": False}
    tasks = {task.task: task for task in tables.open_tasks(0, 100)}
    assert {number for number, task in tasks.items() if not task.is_visible} == gone
    assert {number for number, task in tasks.items() if task.subject == "changed"} == changed
    assert again == {"different": 0, "more": False}
    assert asked[0] <= (3 if not gone else 2 * len(MANY))
    assert then[0] <= 3
    assert then[1] == min(len(gone), HIDDEN)


async def test_a_comparison_ends_in_time_whatever_is_gone(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    """It asks for a first task in four lists, and leaves the rest to a further job."""
    for number in range(100):
        made = WorkPackage.model_validate({"id": 37 + number, "lockVersion": 0, "subject": "-"})
        tables.add(f"job {number}", ADA, made)
    job = context("sync", queue="flrts.openproject.sync", left=lambda: 10.0)

    async with embedded_store():
        begun = await sync_project(ProjectSync(), job)

    assert begun == {"different": 1, "more": True}
    assert lists_and_reads(projects) == (4, 0)


@pytest.mark.parametrize("told", ["comparison", "event"])
@pytest.mark.parametrize("changed", [False, True])
async def test_a_task_that_was_out_of_sight_comes_back(
    changed: bool, told: str, projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "Buy milk", "Call Bo")
    packages, projects.packages = projects.packages, {}
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await receive_event(event(37, 1), context("unseen"))
        await sync_project(ProjectSync(), context("sync", queue="flrts.openproject.sync"))
        await drain(store, clock)
        hidden = tables.open_tasks(0, 10)
        projects.packages = packages
        if changed:
            projects.edit(37, subject="Buy oat milk")
        if told == "event":
            await receive_event(event(37, int(changed)), context("seen"))
        else:
            await sync_project(ProjectSync(), context("next", queue="flrts.openproject.sync"))
        await drain(store, clock)

    back = tables.task(37)
    assert back is not None
    assert [task.is_visible for task in hidden] == [False, False]
    assert (back.subject, back.closed, back.version) == (
        "Buy oat milk" if changed else "Buy milk",
        0,
        int(changed),
    )


async def test_an_event_after_a_read_that_failed_is_read(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "Buy milk")
    projects.edit(37, subject="Buy oat milk")
    projects.faults = [httpx.Response(422, json={"message": "no"})]
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        for name in ("first", "later"):
            await receive_event(event(37, 1), context(name))
            await drain(store, clock)

    task = tables.task(37)
    assert task is not None
    assert task.subject == "Buy oat milk"


async def test_a_closed_task_that_is_deleted_stays_closed(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "Buy milk")
    projects.edit(37, closed=True)
    await sync_task(TaskSync(task=37))
    del projects.packages[37]

    assert await sync_task(TaskSync(task=37)) == {"visible": False}
    assert tables.open_tasks(0, 10) == []


async def test_a_comparison_short_of_time_is_finished_by_a_further_job(
    projects: Projects, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.apps.tasks.syncing.PAGE", 2)
    await create_tasks(context, "one", "two", "three")
    for number in (37, 39):
        projects.edit(number, subject="changed")
    left = iter([10.0])
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        job = context("sync", queue="flrts.openproject.sync", left=lambda: next(left))
        begun = await sync_project(ProjectSync(), job)
        await drain(store, clock)

    assert begun == {"different": 1, "more": True}
    assert projects.requests[-1].url.path == "/api/v3/work_packages/39"


async def test_each_hour_a_comparison_is_due(
    projects: Projects, context: MakeContext, tables: Tables
) -> None:
    await create_tasks(context, "Buy milk")
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await tick(store, app, clock=clock)  # meets the schedule
        projects.edit(37, subject="Buy oat milk")
        clock.advance(3599)
        await tick(store, app, clock=clock)
        before = tables.task(37)
        clock.advance(1)
        await tick(store, app, clock=clock)
        after = tables.task(37)

    assert before is not None
    assert after is not None
    assert (before.subject, after.subject) == ("Buy milk", "Buy oat milk")


async def test_without_tasks_a_comparison_needs_no_openproject(
    projects: Projects, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment that serves this application and does not use it: no dead letter each hour."""
    monkeypatch.delenv("OPENPROJECT_URL")

    assert await sync_project(ProjectSync(), context()) == {"different": 0, "more": False}
    assert projects.requests == []
