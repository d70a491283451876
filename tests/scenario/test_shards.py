"""A queue over three entries through the HTTP API, and one that grows between two deployments."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scenario.world import JOBS, Client, World
from tests.support.probe import Probe


def job(n: int, kind: str = "double", **options: object) -> dict[str, object]:
    return {"type": kind, "payload": {"n": n}, "options": options}


@pytest.fixture
def spread(world: World, probe: Probe) -> None:
    """Queue "work" has three shards."""
    object.__setattr__(world.work, "shards", 3)
    probe.shards = 3


async def status(api: Client, job_id: str) -> str:
    return str((await api.get(f"/api/v1/jobs/{job_id}")).json()["state"])


@pytest.mark.usefixtures("spread")
async def test_a_bulk_over_http_is_in_one_shard_and_runs(api: Client, world: World) -> None:
    answer = (await api.post(JOBS, json={"jobs": [job(n) for n in range(200)]})).json()["jobs"]
    ids = [one["id"] for one in answer]

    shards = Counter(job_id.partition("~")[2].partition(".")[0] for job_id in ids)
    usage = (await api.get("/api/v1/queues/work")).json()["usage"]
    assert len(shards) == 1 or min(shards.values()) < 200  # a run may end within the bulk
    assert sum(shard["jobs"] for shard in usage["shards"]) == usage["jobs"] == 200
    assert sum(shard["bytes"] for shard in usage["shards"]) == usage["bytes"]

    await api.tick()

    assert sorted(world.ran) == sorted(ids)
    assert {await status(api, job_id) for job_id in ids[::20]} == {"completed"}


@pytest.mark.usefixtures("spread")
async def test_jobs_with_ids_of_both_kinds_are_cancelled_redriven_and_deleted(
    api: Client, world: World
) -> None:
    own = [job(n, "fail", job_id=f"own-{n}", attempts=1) for n in range(10)]
    ours = [job(n, "fail", attempts=1) for n in range(10)]
    answer = (await api.post(JOBS, json={"jobs": [*own, *ours]})).json()["jobs"]
    ids = [one["id"] for one in answer]
    for job_id in (ids[0], ids[10]):
        assert (await api.delete(f"/api/v1/jobs/{job_id}")).json()["state"] == "cancelled"

    await api.tick()
    rest = [*ids[1:10], *ids[11:]]
    assert {await status(api, job_id) for job_id in rest} == {"dead"}

    world.broken = False
    for job_id in (ids[1], ids[11]):
        assert (await api.post(f"/api/v1/dead-letters/{job_id}/redrive")).status_code == 200
    for job_id in (ids[2], ids[12]):
        assert (await api.delete(f"/api/v1/dead-letters/{job_id}")).status_code == 200
        assert (await api.get(f"/api/v1/jobs/{job_id}")).status_code == 404
    await api.tick()
    assert [await status(api, job_id) for job_id in (ids[1], ids[11])] == ["completed"] * 2


async def test_a_queue_grows_by_a_deploy(api: Client, world: World, probe: Probe) -> None:
    """What the old deployment stored runs in the new one, beside new jobs."""
    old = (await api.post(JOBS, json={"jobs": [job(n) for n in range(30)]})).json()["jobs"]
    delayed = (await api.post(JOBS, json=job(1, delay=60, job_id="later"))).json()
    object.__setattr__(world.work, "shards", 4)
    probe.shards = 4
    again = (await api.post(JOBS, json=job(1, delay=60, job_id="later"))).json()
    new = (await api.post(JOBS, json={"jobs": [job(n) for n in range(30)]})).json()["jobs"]

    await api.tick()
    world.clock.advance(60)
    await api.tick()

    assert (again["id"], again["duplicate"]) == (delayed["id"], True)
    assert sorted(world.ran) == sorted([one["id"] for one in old + new] + [delayed["id"]])
    assert len((await api.get("/api/v1/queues/work")).json()["usage"]["shards"]) == 4
