"""Redrives from the archive happen once for each row, whatever stops them."""

from __future__ import annotations

import asyncio

import pytest

from shared.archive.archive import Archive
from shared.archive.criteria import Criteria
from shared.archive.redrive import RedriveVerdict, redrive
from shared.errors import StoreError
from shared.jobs.ids import unique_id
from shared.jobs.job import Guard
from shared.store import Store
from shared.testing import FakeClock, Fate
from tests.archive.steps import stopping
from tests.archive.world import World
from tests.support.probe import Probe
from tests.support.turns import jobs
from tests.support.values import Number
from tests.support.world import World as StoreWorld


class ProcessKilled(BaseException):
    """The process ends here."""


def kill() -> None:
    raise ProcessKilled


async def all_rows(
    dying: World, archive: Archive, store: Store | None = None
) -> list[RedriveVerdict]:
    """Redrive every row, the oldest death first."""
    page = await archive.page(dying.registry.queues(), Criteria(), cursor=None, most=1000)
    return await redrive(store or dying.store, archive, page.rows[::-1])


async def left(dying: World) -> list[str | None]:
    async with dying.deployment.open_archive() as archive:
        return [verdict.left for verdict in await all_rows(dying, archive)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # no close()
async def test_a_stop_at_any_step_redrives_once_in_the_end(dying: World) -> None:
    made = 0
    for at in range(1, 100):
        await dying.die(f"a{at}", f"b{at}")
        await dying.maintain()
        with stopping(at, kill):
            try:
                await left(dying)
            except ProcessKilled:
                pass
            else:
                break
        await left(dying)
        made += 2
        assert (await dying.store.stats(dying.queue)).waiting == 2
        await dying.store.purge(dying.queue)  # whatever becomes of the jobs
        assert set(await left(dying)) == {"before"}
        assert len([row for row in dying.rows() if row["redriven_at"]]) == made
    assert at > 8  # a select, a script, an update


async def test_a_job_that_comes_back_from_the_archive_is_the_same_job(dying: World) -> None:
    made = dying.queue.types["t"].job(Number(), job_id="order-7")
    await dying.store.enqueue_one(dying.queue, made)
    before = await dying.store.inspect(dying.queue, "order-7")
    await dying.end()
    await dying.maintain()
    assert await dying.dead() == []

    assert await left(dying) == [None]
    after = await dying.store.inspect(dying.queue, "order-7")

    assert after.state == "waiting"
    assert unique_id(after.id, after.created_ms) == unique_id(before.id, before.created_ms)
    assert before.created_ms is not None


async def test_two_operators_at_once_redrive_once(dying: World) -> None:
    await dying.die(*(f"j{n:03}" for n in range(300)))
    await dying.maintain()
    answers = await asyncio.gather(left(dying), left(dying), left(dying))

    assert [one for answer in answers for one in answer].count(None) == 300
    assert (await dying.store.stats(dying.queue)).waiting == 300


async def test_a_lost_reply_is_this_redrives_own(dying: World, world: StoreWorld) -> None:
    await dying.die("a")
    await dying.maintain()
    lossy = world.client([Fate.LOST_AFTER])
    async with dying.deployment.open_archive() as archive:
        (verdict,) = await all_rows(dying, archive, lossy)

    assert verdict.left is None


async def test_a_store_that_fails_leaves_rows_to_be_redriven(
    dying: World, world: StoreWorld
) -> None:
    await dying.die("a")
    await dying.maintain()
    lossy = world.client([Fate.LOST_BEFORE] * 100)
    async with dying.deployment.open_archive() as archive:
        with pytest.raises(StoreError):
            await all_rows(dying, archive, lossy)

    assert await left(dying) == [None]


async def test_what_stands_in_the_way_is_told_and_the_row_can_be_redriven_later(
    dying: World, probe: Probe
) -> None:
    await dying.die("again", "damaged", "free")
    await dying.die("named", dedup=Guard("dedup:one"))
    await probe.run("HSET", probe.key("q", "records"), "damaged", b"\xff damaged")
    await dying.maintain()
    await dying.store.enqueue(dying.queue, jobs("again"))
    await dying.store.enqueue(dying.queue, jobs("holder", dedup=Guard("dedup:one")))
    assert await left(dying) == ["exists", "unreadable", None, "taken"]
    await dying.store.purge(dying.queue)

    assert await left(dying) == [None, "unreadable", "before", None]


async def test_large_rows_go_in_parts(dying: World, store: Store) -> None:
    body = '{"n":1,"x":"' + "x" * 1_500_000 + '"}'
    big = [dying.queue.types["t"].job(Number(n=1), job_id=f"b{n}") for n in range(5)]
    await store.enqueue(dying.queue, [type(job)(job.type, body, id=job.id) for job in big])
    await dying.end()
    await dying.maintain()

    assert await left(dying) == [None] * 5
    assert (await store.stats(dying.queue)).bytes > 7_000_000


async def test_an_encrypted_payload_stays_sealed_and_comes_back_whole(
    store: Store, clock: FakeClock, empty_postgres: str
) -> None:
    dying = World(store, clock, empty_postgres, encrypt=True)
    job_type = dying.queue.types["t"]
    await store.enqueue(dying.queue, [job_type.job(Number(n=12345), job_id="a")])
    await dying.end()
    await dying.maintain()

    (row,) = dying.rows()
    assert "12345" not in str(row)
    assert row["job_data"]["encryption_key"] == "test"
    assert await left(dying) == [None]
    view = await store.inspect(dying.queue, "a", decrypt=True)
    assert (view.state, view.payload) == ("waiting", '{"n":12345}')
