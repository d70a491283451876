"""What a queue remembers of its keys: it is counted as long as it is there, and it goes."""

from __future__ import annotations

import pytest

from shared import KeyLimit, RateLimit
from shared.declare.queue import Queue
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import Owner, ids, jobs, numbered
from tests.support.values import Declare

HOUR = RateLimit(1, per=3600)


async def stored_bytes(probe: Probe) -> int:
    """Of records and ids, and of the states of keys with the names of their fields."""
    records = await probe.read("q", "records")
    counted = [name for name in records if name.startswith(":key:") or name[0] != ":"]
    return sum(len(name) + len(records[name].encode()) for name in counted)


def of_keys(count: int) -> list[str]:
    return [f"user-{n}" for n in range(count)]


@pytest.mark.parametrize("at", ["start", "door"])
async def test_states_of_keys_count_in_the_bytes_of_their_queue_until_they_go(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe, at: str
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR), if_limited="refuse" if at == "door" else "defer")
    both = [job for key in of_keys(40) for job in jobs(f"a-{key}", f"b-{key}", key=key)]
    await store.enqueue(queue, both)
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(100))
    alone = sum(
        len(name) + len(text)
        for name, text in (await probe.read("q", "records")).items()
        if name[0] != ":"
    )

    assert (await store.stats(queue)).bytes == await stored_bytes(probe) > alone + 40 * 30
    assert (await store.stats(queue)).bytes == (await store.overview([queue]))[0].bytes
    while (await store.stats(queue)).sizes["delayed"]:
        clock.advance(3600)
        await (last := Owner(store, queue, f"o{clock.epoch_ms()}")).finish(*await last.claim(50))
    clock.advance(3600 + 600)
    await Owner(store, queue, "later").turn(0)
    assert not [name for name in await probe.scalars() if name.startswith("key:")]
    assert (await store.stats(queue)).bytes == await stored_bytes(probe)


@pytest.mark.one_shard
async def test_a_queue_that_is_full_of_states_takes_jobs_again_once_they_go(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR), max_bytes=4096)
    owner, full, n = Owner(store, queue), False, 0
    while not full and n < 100:
        some = [job for i in range(n, n + 10) for job in jobs(f"j{i}", key=f"{'k' * 90}{i}")]
        full, n = not (await store.enqueue(queue, some))[-1].stored, n + 10
        claims = await owner.claim()
        await owner.finish(*claims)
        await store.delete(queue, ids(claims))
    stats = await store.stats(queue)
    assert full
    assert (stats.jobs, stats.bytes > 3000) == (0, True)

    clock.advance(3600 + 600)
    await Owner(store, queue, "later").turn(0)

    answers = await store.enqueue(queue, some)
    assert all(answer.stored for answer in answers)


async def test_a_turn_claims_as_many_jobs_beside_many_states_of_keys(
    store: Store, declare: Declare
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR))
    await store.enqueue(queue, [job for key in of_keys(300) for job in jobs(f"a-{key}", key=key)])
    owner = Owner(store, queue)
    for _ in range(3):
        claims = await owner.claim(100)
        await owner.finish(*claims)
        await store.delete(queue, ids(claims))
    await store.enqueue(queue, numbered(60))

    assert len(await owner.claim(100)) == 60


async def erased(store: Store, queue: Queue, probe: Probe) -> str:
    """All that the queue's keys hold after an erasure of "of-ann", but the last turns' replies."""
    await store.erase(queue, "of-ann")
    snapshot = await probe.snapshot()
    return str({part: content for part, content in snapshot.items() if part != "agenda"})


@pytest.mark.parametrize("count", [1, 2, 30])
@pytest.mark.parametrize(
    "limit", [KeyLimit(rate=HOUR), KeyLimit(rate=HOUR, concurrency=1)], ids=["rate", "both"]
)
async def test_an_erasure_leaves_no_name_of_the_key(
    store: Store, declare: Declare, probe: Probe, limit: KeyLimit, count: int
) -> None:
    queue = declare(per_key=limit)
    await store.enqueue(queue, [*numbered(count, "a", key="of-ann"), *numbered(3, "b", key="bob")])
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())

    assert "of-ann" not in await erased(store, queue, probe)

    assert (await store.stats(queue)).bytes == await stored_bytes(probe)
    assert (await store.stats(queue)).sizes["delayed"] == 2
    await store.enqueue(queue, jobs("new", key="of-ann"))
    assert ids(await owner.claim()) == ["new"]


async def test_an_erasure_of_a_key_that_only_spent_its_rate_at_the_door_forgets_it(
    store: Store, declare: Declare, probe: Probe
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR), if_limited="refuse")
    await store.enqueue(queue, jobs("a", key="of-ann"))

    assert "of-ann" not in await erased(store, queue, probe)


async def test_an_erasure_passes_thousands_of_places_in_a_backlog(
    store: Store, declare: Declare, probe: Probe
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR))
    for n in range(5):
        await store.enqueue(queue, numbered(500, f"a{n}-", key="of-ann"))
    limited = Owner(store, queue)
    for _ in range(5):
        await limited.finish(*await limited.claim())
    await store.purge(queue)

    assert "of-ann" not in await erased(store, queue, probe)


async def test_a_key_whose_job_came_meanwhile_keeps_its_state(
    store: Store, declare: Declare, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR))
    await store.enqueue(queue, numbered(3, key="ann"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())
    delete, late = store.delete, jobs("late", key="ann")

    async def delete_late(queue: Queue, some: list[str]) -> list[bool]:
        done = await delete(queue, some)
        await store.enqueue(queue, late)
        assert await owner.claim() == []  # it is put off
        return done

    monkeypatch.setattr(store, "delete", delete_late)  # the last request but one of an erasure
    await store.erase(queue, "ann")

    clock.advance(3599)
    assert await owner.claim() == []
    clock.advance(1)
    assert ids(await owner.claim()) == ["late"]


async def test_a_recount_removes_entries_of_no_backlog_and_no_others(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR))
    await store.enqueue(queue, numbered(4, key="k"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())  # j001, j002 and j003 stand at 1, 2 and 3
    stray = {"k 0": "j000", "k 4": "j000", "k 9": "other", "gone 1": "other"}
    await probe.seed("q", {"backlogs": stray})

    await owner.turn(0, resync=True)
    assert await probe.read("q", "backlogs") == {"k 1": "j001", "k 2": "j002", "k 3": "j003"}

    await owner.turn(0, resync=True)  # which counts them anew
    assert (await store.stats(queue)).sizes["delayed"] == 3
    started = list[str]()
    for _ in range(3):
        clock.advance(3600)
        started += ids(claims := await owner.claim())
        await owner.finish(*claims)
    assert started == ["j001", "j002", "j003"]


async def test_a_timer_of_a_key_without_a_state_goes(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    """A turn that stopped after its timers left it."""
    queue = declare(per_key=KeyLimit(rate=HOUR))
    await probe.seed("q", {"key_timers": {"k": clock.epoch_ms(), "l": clock.epoch_ms() - 1}})
    await store.enqueue(queue, jobs("a", key="other"))

    await Owner(store, queue).turn(0, resync=True)

    assert not await probe.read("q", "key_timers")


async def test_more_keys_than_a_turn_looks_at_are_forgotten_by_the_next_turns(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR))
    await store.enqueue(queue, [job for key in of_keys(250) for job in jobs(key, key=key)])
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim(250))
    clock.advance(3600 + 600)

    left = list[int]()
    for _ in range(3):
        await owner.turn(0)
        left.append(len(await probe.read("q", "key_timers")))

    assert left == [150, 50, 0]
    assert (await store.stats(queue)).bytes == await stored_bytes(probe)


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "limited before"])
async def test_a_key_is_forgotten_at_the_instant_of_its_timer(
    store: Store, declare: Declare, clock: FakeClock, probe: Probe, *, limited: bool
) -> None:
    queue = declare(per_key=KeyLimit(rate=HOUR))
    await store.enqueue(queue, jobs("a", key="k"))
    owner = Owner(store, queue)
    await owner.finish(*await owner.claim())
    (instant,) = (await probe.read("q", "key_timers")).values()
    later = Owner(store, queue if limited else declare(), "later")
    clock.advance((instant - 1 - clock.epoch_ms()) / 1000)
    await later.turn(0)
    assert await probe.read("q", "key_timers") == {"k": instant}

    clock.advance(0.001)
    await later.turn(0)

    assert not await probe.read("q", "key_timers")
