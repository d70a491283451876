"""Names that a caller holds: for how long, and what an operator does about them."""

from __future__ import annotations

from typing import Any

import pytest

from shared import Overrides
from shared.declare.idempotency import TTL_MS
from shared.store import Store
from shared.testing import FakeClock
from shared.web import queues
from tests.scenario.world import JOBS, Client, World
from tests.support.probe import Probe

DAY = 86_400
MONTH, YEAR = 31 * DAY, 366 * DAY
PURGE = "/api/v1/queues/work/purge-names"


def job(**options: Any) -> dict[str, Any]:
    return {"type": "double", "payload": {"n": 1}, "options": options}


@pytest.mark.parametrize(
    "options",
    [
        {"dedup": {"id": "💥" * 128, "ttl": YEAR}},
        {"dedup": {"id": "a", "ttl": MONTH + 1}},
        {"dedup": {"ttl": YEAR}},
        {"dedup": "a", "dedup_ttl": YEAR},
        {"dedup_ttl": YEAR},
    ],
)
async def test_a_caller_holds_no_name_for_longer_than_its_queue_allows(
    api: Client, world: World, options: dict[str, Any]
) -> None:
    alone = await api.post(JOBS, json=job(**options))
    (of_many,) = (await api.post(JOBS, json={"jobs": [job(**options)]})).json()["jobs"]

    assert alone.status_code == of_many["error"]["status"] == 422
    assert alone.json()["errors"][0]["field"] == "options.dedup.ttl"
    object.__setattr__(world.work, "overrides", Overrides(dedup_ttl=YEAR))
    assert (await api.post(JOBS, json=job(**options))).status_code == 202


@pytest.mark.parametrize("far", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999-12:00"])
async def test_a_caller_holds_no_name_by_a_start_beyond_that_of_a_delay(
    api: Client, far: str
) -> None:
    late = await api.post(JOBS, json=job(run_at=far, dedup="squat"))
    delayed = await api.post(JOBS, json=job(delay=YEAR + 1, dedup="squat"))
    follows = {"type": "double", "payload": {"n": 1}, "options": {"run_at": far}}
    followed = await api.post(JOBS, json=job(then=[follows]))

    assert [one.status_code for one in (late, delayed, followed)] == [422] * 3
    assert "366 days ahead" in late.json()["detail"]
    assert not (await api.post(JOBS, json=job(dedup="squat"))).json()["duplicate"]


async def test_an_admin_frees_the_names_that_callers_hold(api: Client) -> None:
    key = {"Idempotency-Key": "k"}
    bulk = {"jobs": [job(dedup={"id": str(n), "ttl": DAY}) for n in range(50)]}
    await api.post(JOBS, json=bulk, headers=key)
    await api.post(JOBS, json=job(dedup="until-it-ends"))

    purged = await api.post(PURGE)

    # a name and a key for each job, and the key of the request
    assert purged.json() == {"queue": "work", "purged": 101, "next": None}
    assert (await api.get("/api/v1/queues/work")).json()["counts"]["waiting"] == 51
    again = (await api.post(JOBS, json=bulk, headers=key)).json()["jobs"]
    assert not any(one["duplicate"] for one in again)
    assert (await api.post(JOBS, json=job(dedup="until-it-ends"))).json()["duplicate"]
    (row, _began) = (await api.get("/api/v1/audit")).json()["rows"][:2]
    assert (row["verb"], row["result"]) == ("queues.purge_names", "done: 101")


async def test_a_queue_full_of_names_takes_named_jobs_after_their_purge(
    api: Client, world: World, probe: Probe, clock: FakeClock
) -> None:
    key = probe.key("work", "dedup")
    guard = f"{clock.epoch_ms() + TTL_MS} - {'x' * 2000} w"
    for first in range(0, 40_000, 400):
        names = [f"key:{n}" for n in range(first, first + 400)]
        await probe.run("HSET", key, *(word for name in names for word in (name, guard)))
    headers = {"Idempotency-Key": "k"}
    refused = await api.post(JOBS, json=job(), headers=headers)

    purged = await api.post(PURGE)

    assert refused.status_code == 507
    assert purged.json()["purged"] == 40_000
    assert (await api.post(JOBS, json=job(), headers=headers)).status_code == 202


async def test_a_purge_of_names_that_runs_out_of_time_says_where_to_go_on(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in range(2):
        named = [job(dedup={"id": f"{call}-{n}", "ttl": DAY}) for n in range(900)]
        await api.post(JOBS, json={"jobs": named})
    monkeypatch.setattr(queues, "PURGE_SECONDS", 0.0)

    following, purged, calls = PURGE, 0, 0
    while following:
        answer = (await api.post(following)).json()
        following, purged, calls = answer["next"], purged + answer["purged"], calls + 1

    assert purged == 1800
    assert calls > 1


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1" * 21, "0 0", "\uff11"])
async def test_a_cursor_that_no_answer_gave_is_refused(
    api: Client, store: Store, cursor: str
) -> None:
    answer = await api.post(PURGE, params={"cursor": cursor})

    assert answer.status_code == 422
    assert "purge_names" not in store.meter.by_verb
