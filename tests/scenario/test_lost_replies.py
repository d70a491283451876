"""A request whose reply was lost is repeated by the client: the answer is that of the first one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from shared.testing import FakeClock, Fate, LossyTransport
from tests.scenario.world import JOBS, TOKENS, Client, World, application

LOSSES = (Fate.LOST_AFTER, Fate.BAD_GATEWAY, Fate.TRUNCATED, Fate.GARBAGE)
JOB = {"type": "double", "payload": {"n": 1}}
DEAD = "/api/v1/dead-letters"


class Api(NamedTuple):
    """A client of the application, and the network between that and its store."""

    client: Client
    network: LossyTransport


@pytest.fixture
async def api(world: World, clock: FakeClock) -> AsyncIterator[Api]:
    store = world.client()
    app = application(world, store, clock)
    async with Client(app, TOKENS["admin"]) as client:
        yield Api(client, world.transports[-1])


async def dead_letter(api: Api) -> str:
    job_id = await api.client.enqueue("fail", attempts=1)
    await api.client.tick()
    return job_id


async def enqueue(api: Api, **body: Any) -> Any:
    return (await api.client.post(JOBS, json={**JOB, **body})).json()


async def enqueue_single(api: Api, lose: Callable[[], None]) -> Any:
    await enqueue(api)
    lose()
    answer = await enqueue(api)
    return answer["state"], answer["duplicate"]


async def enqueue_with_options(api: Api, lose: Callable[[], None]) -> Any:
    options = {"delay": 60, "dedup": {"id": "d"}, "job_id": "own", "priority": "high"}
    await enqueue(api, options={**options, "dedup": {"id": "other"}, "job_id": "other"})
    lose()
    answer = await enqueue(api, options=options)
    return answer["id"], answer["state"], answer["duplicate"]


async def enqueue_bulk(api: Api, lose: Callable[[], None]) -> Any:
    body = {"jobs": [JOB, {**JOB, "options": {"job_id": "own"}}, JOB]}
    await api.client.post(JOBS, json={"jobs": [JOB, JOB]})
    lose()
    answers = (await api.client.post(JOBS, json=body)).json()["jobs"]
    return [answer["duplicate"] for answer in answers]


async def pause(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.post("/api/v1/queues/odd/pause")
    lose()
    answer = (await api.client.post("/api/v1/queues/work/pause")).json()
    return answer["paused"], answer["was_paused"]


async def resume(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.post("/api/v1/queues/work/pause")
    lose()
    answer = (await api.client.post("/api/v1/queues/work/resume")).json()
    return answer["paused"], answer["was_paused"]


async def redrive(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.post(f"{DEAD}/{await dead_letter(api)}/redrive")
    job_id = await dead_letter(api)
    lose()
    return (await api.client.post(f"{DEAD}/{job_id}/redrive")).json()["redriven"]


async def redrive_many(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.post(f"{DEAD}/{await dead_letter(api)}/redrive")
    ids = [await dead_letter(api), await dead_letter(api), await api.client.enqueue("double")]
    lose()
    answer = (await api.client.post(f"{DEAD}/redrive", json={"ids": ids})).json()
    return [one["redriven"] for one in answer["jobs"]]


async def delete(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.delete(f"{DEAD}/{await dead_letter(api)}")
    job_id = await dead_letter(api)
    lose()
    response = await api.client.delete(f"{DEAD}/{job_id}")
    return response.status_code, response.json().get("deleted")


async def cancel(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.delete(f"/api/v1/jobs/{await api.client.enqueue('double')}")
    job_id = await api.client.enqueue("double")
    lose()
    response = await api.client.delete(f"/api/v1/jobs/{job_id}")
    return response.status_code, response.json()["state"]


async def purge(api: Api, lose: Callable[[], None]) -> Any:
    await api.client.post("/api/v1/queues/work/purge")
    for n in range(3):
        await api.client.enqueue("double", n=n)
    lose()
    response = await api.client.post("/api/v1/queues/work/purge")
    return response.json()["purged"], response.json()["next"]


async def purge_names(api: Api, lose: Callable[[], None]) -> Any:
    for n in range(3):
        await api.client.enqueue("double", n=n, dedup={"id": str(n), "ttl": 60})
    lose()
    response = await api.client.post("/api/v1/queues/work/purge-names")
    return response.json()["purged"], response.json()["next"]


Action = Callable[[Api, Callable[[], None]], Awaitable[Any]]
ACTIONS: list[tuple[Action, Any]] = [
    (enqueue_single, ("waiting", False)),
    (enqueue_with_options, ("own.work", "delayed", False)),
    (enqueue_bulk, [False, False, False]),
    (pause, (True, False)),
    (resume, (False, True)),
    (redrive, True),
    (redrive_many, [True, True, False]),
    (delete, (200, True)),
    (cancel, (200, "cancelled")),
    (purge, (3, None)),
    (purge_names, (3, None)),
]


@pytest.mark.parametrize("loss", [Fate.DELIVERED, *LOSSES], ids=lambda fate: fate.name)
@pytest.mark.parametrize(("action", "expected"), ACTIONS, ids=[a.__name__ for a, _ in ACTIONS])
async def test_what_a_caller_did_is_told_as_done_when_the_first_reply_was_lost(
    api: Api, loss: Fate, action: Action, expected: Any
) -> None:
    def lose() -> None:
        api.network.script(loss)

    assert await action(api, lose) == expected


@pytest.mark.parametrize("loss", LOSSES, ids=lambda fate: fate.name)
async def test_what_was_so_before_is_still_told_so_when_the_reply_was_lost(
    api: Api, loss: Fate
) -> None:
    holder = await enqueue(api, options={"dedup": {"id": "d"}})
    ended = await enqueue(api, options={"job_id": "own"})
    letter = await dead_letter(api)  # its tick completes the two others
    waiting = await enqueue(api, options={"dedup": {"id": "d"}})
    await api.client.post(f"{DEAD}/{waiting['id']}/redrive")
    await api.client.delete(f"{DEAD}/{waiting['id']}")

    api.network.script(loss)
    duplicate = await enqueue(api, options={"dedup": {"id": "d"}})
    api.network.script(loss)
    own_again = await enqueue(api, options={"job_id": "own"})
    api.network.script(loss)
    redriven = (await api.client.post(f"{DEAD}/{waiting['id']}/redrive")).json()
    api.network.script(loss)
    deleted = await api.client.delete(f"{DEAD}/{waiting['id']}")
    api.network.script(loss)
    both_of_one = await api.client.post(
        JOBS, json={"jobs": [{**JOB, "options": {"job_id": "t"}}] * 2}
    )

    assert holder["id"] != waiting["id"] != letter
    assert (duplicate["id"], duplicate["duplicate"]) == (waiting["id"], True)
    assert (own_again["id"], own_again["duplicate"]) == (ended["id"], True)
    assert (redriven["redriven"], redriven["state"]) == (False, "waiting")
    assert deleted.status_code == 404
    assert [one["duplicate"] for one in both_of_one.json()["jobs"]] == [False, True]
