"""The inbox: what foreign producers push becomes jobs, bytes untouched."""

from __future__ import annotations

import pytest

from shared import Queue, RateLimit
from shared.jobs.outcome import Kind
from shared.store import Store
from tests.support.probe import Probe
from tests.support.records import record
from tests.support.turns import Owner, jobs, settle
from tests.support.values import Declare

ODD = [b'{"type":"t","payload":{}}', b"\xff\x00\xfe not UTF-8", b"", b"a\nb\n", b"[" * 10_000]


async def test_raw_records_become_jobs_with_their_bytes(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await probe.run("RPUSH", probe.key("q", "inbox"), *ODD)

    claims = await Owner(store, queue).claim(resync=True)

    bodies = [c.body.encode() if isinstance(c.body, str) else c.body for c in claims]
    assert bodies == ODD
    assert all(claim.foreign and claim.id.startswith("~") for claim in claims)
    assert await _waiting(store, queue) == 0


async def test_the_inbox_is_only_read_by_a_resync_turn(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await probe.run("RPUSH", probe.key("q", "inbox"), "x")
    owner = Owner(store, queue)

    assert await owner.claim() == []
    assert len(await owner.claim(resync=True)) == 1


async def test_more_than_a_page_is_taken_in_over_the_next_turns(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await probe.run("RPUSH", probe.key("q", "inbox"), *(f"r{i}" for i in range(250)))
    owner, bodies = Owner(store, queue), []
    for turn in range(4):
        bodies += [c.body for c in await owner.claim(100, resync=turn == 0)]

    assert bodies == [f"r{i}" for i in range(250)]


async def test_two_intakes_in_one_millisecond_give_different_ids(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    claims = []
    for name in ("o1", "o2"):
        owner = Owner(store, queue, name)
        for _ in range(2):
            await probe.run("RPUSH", probe.key("q", "inbox"), "x", "y")
            claims += await owner.claim(resync=True)

    assert len({claim.id for claim in claims}) == 8


async def test_a_bad_record_dies_alone_and_keeps_its_bytes(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await probe.run("RPUSH", probe.key("q", "inbox"), b"\xff\xfe")
    owner = Owner(store, queue)
    (claim,) = await owner.claim(resync=True)
    await owner.finish(claim, kind="dead")

    dead = await store.inspect(queue, claim.id)

    assert (dead.payload, dead.type, dead.attempts) == (b"\xff\xfe", "", 1)
    (raw,) = dict((await probe.snapshot())["records"]).values()
    assert str(raw).startswith(record("x", fence=1, attempts=1, flags="f", body="ab")[:-2])


@pytest.mark.parametrize("state", ["empty", "paused", "limited", "final"])
async def test_a_push_while_a_drain_is_under_way_is_not_forgotten_by_its_last_turn(
    store: Store, probe: Probe, declare: Declare, state: str
) -> None:
    queue = declare(limit=RateLimit(1, per=3600) if state == "limited" else None)
    await _push(probe, "first")
    owner = Owner(store, queue)
    claims = await owner.claim(resync=True)
    await owner.finish(*claims)
    await store.pause(queue, paused=state == "paused")
    if state == "limited":
        await store.enqueue(queue, jobs("waits"))

    await _push(probe, "second")
    reply = await owner.turn(0 if state == "final" else 10)

    assert (await store.agenda())["q"] <= 1 or state in ("paused", "limited")
    assert reply.reason == ("more" if state in ("empty", "final") else state)
    if state == "empty":  # the same drain goes on, without a sweep
        assert [claim.body for claim in await owner.claim()] == ["second"]
    else:
        await store.pause(queue, paused=False)
        await Owner(store, queue, "next").turn(0)
        assert await _waiting(store, queue) == 0


async def test_a_push_between_its_two_commands_meets_a_turn_and_is_found(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await probe.run("RPUSH", probe.key("q", "inbox"), "x")
    await Owner(store, queue).turn()  # ends empty, and has seen no foreign producer
    await probe.run("ZADD", probe.key("q", "agenda"), 0, "q")

    assert await store.agenda() == {"q": 0}


async def test_a_queue_without_foreign_producers_pays_no_look_at_its_inbox(
    store: Store, probe: Probe, declare: Declare
) -> None:
    prices = []
    for name in ("plain", "fed"):
        queue, owner = declare(name), Owner(store, declare(name))
        if name == "fed":
            await probe.run("RPUSH", probe.key(name, "inbox"), "x")
        await owner.finish(*await owner.claim(resync=True))
        await owner.finish(*await owner.claim())
        before = store.meter.snapshot()
        await owner.turn()
        prices.append(store.meter.since(before).commands)
        assert queue.name == name

    assert prices[1] == prices[0] + 1


@pytest.mark.parametrize("bounds", [{"max_bytes": 20_000}, {"max_jobs": 15}], ids=["bytes", "jobs"])
@pytest.mark.parametrize("paused", [False, True], ids=["open", "paused"])
async def test_a_queue_takes_what_it_has_room_for_and_the_rest_once_jobs_have_ended(
    store: Store, probe: Probe, declare: Declare, bounds: dict[str, int], *, paused: bool
) -> None:
    queue = declare(**bounds)
    bodies = [f"{n} " + "x" * 1000 for n in range(50)]
    await probe.run("RPUSH", probe.key("q", "inbox"), *bodies)
    await store.pause(queue, paused=paused)
    for name in ("o1", "o2", "o3", "o4"):
        await Owner(store, queue, name).turn(0, resync=True)

    stats = await store.stats(queue)
    assert 10 <= stats.jobs <= queue.max_jobs
    assert stats.bytes <= queue.max_bytes
    assert stats.jobs + stats.sizes["inbox"] == 50
    await store.pause(queue, paused=False)
    owner, seen = Owner(store, queue), list[str]()
    for _ in range(40):
        claims = await owner.claim(5)
        seen += [str(claim.body) for claim in claims]
        await owner.finish(*claims)
    assert seen == bodies


@pytest.mark.one_shard
async def test_a_full_queue_costs_nothing_while_records_are_left_in_its_inbox(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue, prices = declare(max_jobs=2), list[int]()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    for claim in await owner.claim():
        await owner.finish(claim, kind="dead")
    await _push(probe, "left")
    await owner.turn(resync=True)
    for _ in range(2):
        before = store.meter.snapshot()
        reply = await owner.turn()
        prices.append(store.meter.since(before).commands)

        assert (reply.reason, await store.agenda()) == ("empty", {})

    await store.delete(queue, ["a"])
    await Owner(store, queue, "sweep").turn(0, resync=True)
    assert [claim.body for claim in await owner.claim()] == ["left"]
    assert prices[0] == prices[1]


@pytest.mark.one_shard
@pytest.mark.parametrize("over", [0, 1, 10_000])
async def test_a_record_beyond_the_bound_of_its_queue_is_cut_and_stops_none_behind_it(
    store: Store, probe: Probe, declare: Declare, over: int
) -> None:
    queue = declare(max_bytes=5000)
    raw = "r" * (4800 + over)
    await probe.run("RPUSH", probe.key("q", "inbox"), raw, "behind")
    owner, bodies = Owner(store, queue), list[str]()
    for turn in range(4):
        claims = await owner.claim(resync=turn == 0)
        bodies += [str(claim.body) for claim in claims]
        await owner.finish(*claims)

    assert bodies == [f"~cut {len(raw)} " + raw[:200] if over else raw, "behind"]


async def test_a_turn_takes_no_more_bytes_than_it_may_hand_out(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await probe.run("RPUSH", probe.key("q", "inbox"), *["x" * 900_000] * 6)
    owner = Owner(store, queue)
    await owner.turn(0, resync=True)

    assert await _waiting(store, queue) == 2
    await owner.turn(0)
    assert await _waiting(store, queue) == 0


async def _waiting(store: Store, queue: Queue) -> int:
    """Records that no job has been made of."""
    return (await store.stats(queue)).sizes["inbox"]


async def _push(probe: Probe, raw: str) -> None:
    """As the documents ask of foreign producers: the inbox first, then the agenda."""
    await probe.run("RPUSH", probe.key("q", "inbox"), raw)
    await probe.run("ZADD", probe.key("q", "agenda"), 0, "q")


FORGED = ("~page 0 5 0", "~page 1 0 0", "0 4 0 0 0", "~5-0-0-1~0", "~cut 9 x", ":intake", "")
"""Texts like those that the queue notes, or noted in earlier versions."""


@pytest.mark.parametrize("taken", [0, 2])
@pytest.mark.parametrize("forged", FORGED)
async def test_a_record_means_nothing_to_the_queue_whatever_its_text(
    store: Store, probe: Probe, declare: Declare, taken: int, forged: str
) -> None:
    queue = declare()
    owner, inbox = Owner(store, queue), probe.key("q", "inbox")
    for record_ in ("r", forged)[:taken]:
        await probe.run("RPUSH", inbox, record_)
        await owner.claim(100, resync=True)
    await probe.run("RPUSH", inbox, forged, "a", forged, "b", "c")

    bodies = [c.body for _ in range(3) for c in await owner.claim(100, resync=True)]

    assert bodies == [forged, "a", forged, "b", "c"]
    assert await _waiting(store, queue) == 0


@pytest.mark.one_shard
async def test_a_page_of_records_costs_four_commands_and_their_list_three_more(
    store: Store, probe: Probe, declare: Declare
) -> None:
    """More than a turn that looks and finds none."""
    queue, prices = declare(), list[int]()
    owner = Owner(store, queue)
    await owner.turn(0, resync=True)
    for pushed in ([], ["x"] * 150, []):
        if pushed:
            await probe.run("RPUSH", probe.key("q", "inbox"), *pushed)
        before = store.meter.snapshot()
        await owner.turn(0, resync=True)
        prices.append(store.meter.since(before).commands)

    idle, first, second = prices
    assert await _waiting(store, queue) == 0
    assert (first - idle, second - idle) == (7, 4)


@pytest.mark.parametrize("kind", ["done", "cancelled", "dead"])
async def test_a_full_queue_goes_on_with_its_inbox_while_ended_jobs_give_way(
    store: Store, probe: Probe, declare: Declare, kind: Kind
) -> None:
    """A turn that has made room says that there is more, so its drain does not end."""
    queue = declare(max_jobs=12)
    await probe.run("RPUSH", probe.key("q", "inbox"), *(f"r{i:02}" for i in range(50)))
    owner = Owner(store, queue)
    reply, bodies = await owner.turn(20, resync=True), list[str]()
    while reply.claims or reply.reason != "empty":
        bodies += [str(claim.body) for claim in reply.claims]
        reply = await owner.turn(20, [settle(claim, kind) for claim in reply.claims])

    assert bodies == [f"r{i:02}" for i in range(len(bodies))]
    assert len(bodies) + await _waiting(store, queue) == 50
    assert len(bodies) == 50 or (kind == "dead" and len(bodies) <= 12)
