"""The application over HTTP: what n8n and OpenProject send, and what operators see."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from functions.apps.tasks import app
from functions.apps.tasks.tables import Tables
from shared.declare.app import Registry
from shared.testing import FakeClock
from tests.scenario.world import TOKENS, Client, application
from tests.support.world import World

from .conftest import ADA, BO, Chat, Projects, drain

pytestmark = pytest.mark.parametrize("place", ["file"], indirect=True)
AsRole = Callable[[str], Client]

CREATE, COMMAND = (
    f"/api/v1/queues/flrts.{name}/jobs" for name in ("tasks.create", "telegram.command")
)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that starts today: ids carry the machine's time."""
    return FakeClock(time.time_ns() // 1_000_000)


class ServedApp:
    registry = Registry([app])


@pytest.fixture
async def as_role(world: World, tables: Tables) -> AsyncIterator[AsRole]:
    """A client with the token of this role."""
    served = application(ServedApp(), world.store, world.clock)
    async with AsyncExitStack() as stack:

        def client(role: str) -> Client:
            opened = Client(served, TOKENS[role])
            stack.push_async_callback(opened.aclose)
            return opened

        yield client


def command(text: str, number: int, user: int = ADA) -> dict[str, Any]:
    """The body that n8n posts: an update as Telegram wrote it, under an id of its own."""
    person = {"id": user, "is_bot": False, "first_name": "Ada", "language_code": "en"}
    message = {
        "message_id": 1365,
        "from": person,
        "chat": {"id": user, "first_name": "Ada", "type": "private"},
        "date": 1767258000,
        "text": text,
        "entities": [{"offset": 0, "length": 5, "type": "bot_command"}],
    }
    update, name = {"update_id": 10_000 + number, "message": message}, f"update-{10_000 + number}"
    return {
        "type": "telegram.command",
        "payload": update,
        "options": {"job_id": name, "dedup": {"id": name, "ttl": 86_400}},
    }


async def test_an_update_becomes_a_task_and_a_message(
    as_role: AsRole, projects: Projects, chat: Chat, world: World
) -> None:
    n8n = as_role("producer")

    first = await n8n.post(COMMAND, json=command("/task Buy milk", 1))
    again = await n8n.post(COMMAND, json=command("/task Buy milk", 1))
    await drain(world.store, world.clock)

    assert (first.status_code, first.json()["duplicate"]) == (202, False)
    assert (again.status_code, again.json()["duplicate"]) == (202, True)
    assert chat.sent == [(ADA, "Task created: Buy milk (#37)")]


async def test_an_update_that_telegram_sends_again_within_a_day_is_the_same_command(
    as_role: AsRole, projects: Projects, chat: Chat, world: World
) -> None:
    n8n = as_role("producer")
    duplicates = []

    for _hour in range(26):
        answer = await n8n.post(COMMAND, json=command("/task Buy milk", 1))
        duplicates.append(answer.json()["duplicate"])
        await drain(world.store, world.clock, seconds=3600)

    assert duplicates == [False, *[True] * 23, False, True]
    assert projects.posts == 2


async def test_a_flood_of_one_user_is_told_when_to_come_back(as_role: AsRole) -> None:
    n8n = as_role("producer")

    answers = [await n8n.post(COMMAND, json=command("/tasks", n)) for n in range(12)]
    other = await n8n.post(COMMAND, json=command("/tasks", 99, user=BO))

    assert [answer.status_code for answer in answers] == [202] * 10 + [429] * 2
    assert answers[-1].headers["retry-after"] == "6"
    assert other.status_code == 202


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"title": "Buy milk"}, "payload.user_id"),
        ({"user_id": ADA, "title": ""}, "payload.title"),
        ({"user_id": ADA, "title": "Buy\nmilk"}, "payload.title"),
        ({"user_id": ADA, "title": "Buy milk\u0007"}, "payload.title"),
        ({"user_id": ADA, "title": "x" * 256}, "payload.title"),
        ({"user_id": ADA, "title": "x", "description": "a\u0000b"}, "payload.description"),
        ({"user_id": ADA, "title": "x", "due_date": "tomorrow"}, "payload.due_date"),
        ({"user_id": ADA, "title": "x", "admin": True}, "payload.admin"),
        ({"user_id": -1, "title": "x"}, "payload.user_id"),
    ],
)
async def test_data_that_no_task_may_have_are_refused_by_field(
    payload: dict[str, Any], field: str, as_role: AsRole
) -> None:
    answer = await as_role("producer").post(
        CREATE, json={"type": "task.create", "payload": payload}
    )

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("role", "pause", "purge"),
    [("producer", 403, 403), ("viewer", 403, 403), ("operator", 200, 403), ("admin", 200, 200)],
)
async def test_who_manages_queues_is_a_matter_of_roles(
    role: str, pause: int, purge: int, as_role: AsRole
) -> None:
    client, queue = as_role(role), "/api/v1/queues/flrts.tasks.create"

    answers = [await client.post(f"{queue}/{verb}") for verb in ("pause", "purge")]

    assert [answer.status_code for answer in answers] == [pause, purge]


async def test_a_queue_s_health_and_metrics_are_one_request(
    as_role: AsRole, projects: Projects, chat: Chat, world: World
) -> None:
    projects.faults = [httpx.Response(422, json={"message": "Subject can't be blank."})]
    n8n, operator = as_role("producer"), as_role("operator")
    for n in range(30):  # enough for a percentile
        task = {"user_id": ADA + n, "title": f"Task {n}"}
        await n8n.post(CREATE, json={"type": "task.create", "payload": task})
    await drain(world.store, world.clock)
    later = {"type": "task.create", "payload": task, "options": {"delay": 600}}
    await n8n.post(CREATE, json=later)
    await operator.post("/api/v1/queues/flrts.tasks.create/pause")

    shown = (await operator.get("/api/v1/queues/flrts.tasks.create")).json()

    counts = {name: shown["counts"][name] for name in ("waiting", "active", "delayed")}
    assert counts == {"waiting": 0, "active": 0, "delayed": 1}
    assert (shown["counts"]["completed"], shown["counts"]["dead"], shown["paused"]) == (29, 1, True)
    durations = shown["types"]["task.create"]
    assert durations["observed"] == 30
    assert 0 <= durations["average"] <= durations["p95"]


async def test_a_failed_task_is_a_dead_letter_with_all_that_it_was(
    as_role: AsRole, projects: Projects, chat: Chat, world: World
) -> None:
    projects.faults = [httpx.Response(503)] * 3
    client = as_role("operator")
    task = {"user_id": ADA, "title": "Buy milk"}
    answer = await as_role("producer").post(CREATE, json={"type": "task.create", "payload": task})
    for _ in range(4):
        await drain(world.store, world.clock, seconds=60)

    (dead,) = (await client.get("/api/v1/dead-letters")).json()["dead_letters"]
    letter = (await client.get(f"/api/v1/dead-letters/{dead['id']}")).json()
    redriven = await client.post(f"/api/v1/dead-letters/{dead['id']}/redrive")
    await drain(world.store, world.clock)

    assert letter["id"] == answer.json()["id"]
    assert (letter["queue"], letter["type"], letter["attempts"]) == (
        "flrts.tasks.create",
        "task.create",
        3,
    )
    assert letter["payload"]["title"] == "Buy milk"
    assert "503" in letter["errors"][-1]["message"]
    assert redriven.status_code == 200
    assert chat.sent[-1] == (ADA, "Task created: Buy milk (#37)")
