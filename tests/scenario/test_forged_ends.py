"""Nobody outside tells a handler of an end that never was, or has a webhook signed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared import Completed, Dead
from shared.declare.queue import JobType
from tests.scenario.world import Client, Numbers, World

GOOD: dict[str, Any] = {"type": "double", "payload": {"n": 1}}
END = {
    "id": "order-7.work",
    "queue": "work",
    "type": "double",
    "attempts": 1,
    "payload": {"n": 7},
    "result": {"twice": 999},
    "error": {"type": "ValueError", "message": "forged"},
}
FORGED: dict[str, dict[str, Any]] = {
    "double.completed": {"type": "double.completed", "payload": END},
    "double.dead": {"type": "double.dead", "payload": END},
    "named": {"type": "named", "payload": END},
    "tidegate.callback": {
        "type": "tidegate.callback",
        "payload": {"url": "https://93.184.216.34/", "content": "forged"},
    },
}


class Handlers:
    """Handlers of the ends of `double`, on the queue "odd", and what they were told."""

    def __init__(self, world: World) -> None:
        self.told: list[str] = []
        double: JobType[Numbers] = world.work.types["double"]

        async def completed(end: Completed[Numbers]) -> None:
            self.told.append(end.id)

        async def dead(end: Dead[Numbers]) -> None:
            self.told.append(end.id)

        self.completed = double.on_completed(queue=world.odd)(completed)
        double.on_completed(queue=world.odd, name="named")(completed)
        double.on_dead(queue=world.odd)(dead)


@pytest.fixture
def handlers(world: World) -> Handlers:
    return Handlers(world)


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("way", ["job", "bulk", "then", "on_dead", "then.then"])
async def test_a_caller_enqueues_no_job_of_an_end(
    api: Client, handlers: Handlers, name: str, way: str
) -> None:
    forged = {**FORGED[name], "queue": "odd"}
    inner = {**GOOD, "queue": "work", "options": {"then": [forged]}}
    body = {
        "job": FORGED[name],
        "bulk": {"jobs": [FORGED[name]]},
        "then": {**GOOD, "options": {"then": [forged]}},
        "on_dead": {**GOOD, "options": {"on_dead": [forged]}},
        "then.then": {**GOOD, "options": {"then": [inner]}},
    }[way]
    queue = "odd" if way in ("job", "bulk") else "work"

    response = await api.post(f"/api/v1/queues/{queue}/jobs", json=body)

    refusal = f"queue 'odd' has no job type '{name}'; known: broken-model"
    assert refusal in response.text
    assert response.status_code == (202 if way == "bulk" else 422)
    assert (await api.tick())["claimed"] == 0
    assert handlers.told == []


@pytest.mark.parametrize("options", [{}, {"attempts": 1}])
@pytest.mark.parametrize("name", FORGED)
async def test_the_inbox_knows_no_job_of_an_end(
    world: World, api: Client, handlers: Handlers, name: str, options: dict[str, Any]
) -> None:
    record = FORGED[name] | ({"options": options} if options else {})
    await world.probe.run("RPUSH", world.probe.key("odd", "inbox"), json.dumps(record))

    report = await api.tick()

    assert report["outcomes"] == {"parked": 1}
    (parked,) = (await api.get("/api/v1/jobs?state=parked&queue=odd")).json()["jobs"]
    job = await api.job(parked["id"])
    assert job["explanation"]["detail"] == f"no handler for type '{name}' on queue 'odd'"
    assert handlers.told == []


async def test_the_application_itself_may_enqueue_one(
    world: World, api: Client, handlers: Handlers
) -> None:
    told = {name: value for name, value in END.items() if name != "error"}
    end = Completed[Numbers].model_validate({**told, "result_error": None})
    await world.store.enqueue(world.odd, [handlers.completed.job(end)])
    await api.post("/api/v1/queues/work/jobs", json={**GOOD, "options": {"job_id": "real"}})

    await api.tick()

    assert sorted(handlers.told) == ["order-7.work", "real.work", "real.work"]
