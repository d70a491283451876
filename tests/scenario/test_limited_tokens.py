"""A token that is limited to queues drains these, and is told of these."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from starlette.applications import Starlette

from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.tokens import TokenShop
from tests.scenario.world import Client, World

FOLLOWED = {"type": "double", "payload": {"n": 2}}


@pytest.fixture
def shop(app: Starlette, store: Store, clock: FakeClock) -> TokenShop:
    return TokenShop(app, store, clock)


async def drained(client: Client, query: str, hops: str | None) -> set[str]:
    """The queues of a drain's report."""
    headers: Mapping[str, str] = {} if hops is None else {"Tidegate-Hops": hops}
    response = await client.post(f"/api/cron/drain{query}", headers=headers)
    assert response.status_code == 200, response.text
    return set(response.json()["queues"])


@pytest.mark.parametrize("hops", [None, "0", "1", "10", "999"])
@pytest.mark.parametrize("query", ["", "?queue=work"])
async def test_a_limited_drain_stays_among_the_queues_of_its_token(
    api: Client, shop: TokenShop, query: str, hops: str | None
) -> None:
    """Also in its second round, which comes because a follow-up was enqueued in the first."""
    limited = await shop.client_of("cron", queues=["work"])
    elsewhere = await api.enqueue(queue="slow")
    await api.enqueue(then=[FOLLOWED])

    assert await drained(limited, query, hops) == {"work"}

    counts = (await api.get("/api/v1/queues/work")).json()["counts"]
    assert counts["completed"] == 2
    assert (await api.job(elsewhere))["state"] == "waiting"


async def test_a_limited_drain_may_go_on_to_its_other_queues(
    world: World, api: Client, shop: TokenShop
) -> None:
    limited = await shop.client_of("cron", queues=["work", "slow"])
    await world.probe.run("RPUSH", world.probe.key("odd", "inbox"), '{"type": "x"}')
    await api.enqueue(then=[{**FOLLOWED, "queue": "slow"}])

    assert await drained(limited, "?queue=work", "0") == {"work", "slow"}


async def test_the_nudge_of_a_platform_goes_on_to_every_queue(api: Client) -> None:
    await api.enqueue(then=[{**FOLLOWED, "queue": "slow"}])

    assert await drained(api, "?queue=work", "0") == {"work", "slow"}


@pytest.mark.parametrize("gone", [False, True])
async def test_an_explanation_tells_nothing_of_other_queues(
    world: World, api: Client, shop: TokenShop, gone: bool
) -> None:
    viewer = await shop.client_of("viewer", queues=["work"])
    informed = await shop.client_of("viewer", queues=["work", "slow"])
    job_id = await api.enqueue(then=[{**FOLLOWED, "queue": "slow"}])
    queue = world.app.queues.pop("slow")
    report = await world.drain(patience=0).run([world.work])
    assert report.outcomes == {"released": 1}
    if not gone:
        world.app.queues["slow"] = queue

    limited, whole, all_queues = [
        (await client.job(job_id))["gates"] for client in (viewer, informed, api)
    ]

    ended = "it has ended, but its follow-ups can't be stored"
    assert [gate["detail"] for gate in limited] == [ended]
    assert whole == all_queues
    assert [gate["detail"] for gate in whole] == [
        f"{ended} on queue 'slow': it is declared no more"
    ]
    raw = str(await world.probe.run("HGETALL", world.probe.key("work", "records")))
    assert not re.search(r"\bodd\b", raw)
