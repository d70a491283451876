"""inspect, stats and browse agree with the keys and write nothing."""

from __future__ import annotations

import pytest

from shared import Queue, RateLimit
from shared.errors import JobNotFound
from shared.jobs.job import Job
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import LEASE_MS, Owner, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


@pytest.fixture
async def started(store: Store, declare: Declare, clock: FakeClock) -> tuple[Queue, Owner]:
    """One job of each state, named after it."""
    queue = declare(limit=RateLimit(10, per=1, burst=100))
    await store.enqueue(queue, jobs("completed", "dead", "cancelled", "parked", "active"))
    owner = Owner(store, queue)
    claims = await owner.claim()
    kinds = ("done", "dead", "cancelled", "park")
    closing = [settle(c, k, 60_000, '{"note":1}') for c, k in zip(claims, kinds, strict=False)]  # type: ignore[arg-type]
    await owner.turn(0, closing)
    await store.enqueue(queue, [*jobs("waiting", priority="low"), *jobs("delayed", delay_ms=7000)])
    return queue, owner


@pytest.mark.parametrize(
    ("state", "after_ms"),
    [("completed", 0), ("dead", 0), ("cancelled", 0), ("parked", 60_000), ("active", LEASE_MS),
     ("delayed", 7000)],
)  # fmt: skip
async def test_a_job_is_shown_in_its_state_with_its_instant(
    store: Store, probe: Probe, started: tuple[Queue, Owner], clock: FakeClock,
    state: str, after_ms: int,
) -> None:  # fmt: skip
    before = await probe.snapshot(), await probe.scalars()

    view = await store.inspect(started[0], state)

    assert (view.id, view.state, view.type, view.payload) == (f"{state}.q", state, "t", "{}")
    assert view.at_ms == clock.epoch_ms() + after_ms
    assert (await probe.snapshot(), await probe.scalars()) == before


async def test_a_waiting_job_is_shown_with_what_holds_it_back(
    store: Store, started: tuple[Queue, Owner]
) -> None:
    queue, _owner = started
    await store.pause(queue, paused=True)

    view = await store.inspect(queue, "waiting")

    assert (view.state, view.priority, view.paused, view.active) == ("waiting", "low", True, 1)
    assert (view.quarantined, view.cancel_requested, view.limited_ms) == (False, False, 0)


async def test_a_job_behind_an_empty_bucket_says_how_long(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare(limit=RateLimit(4, per=1, burst=1))
    await store.enqueue(queue, jobs("a", "b"))
    await Owner(store, queue).claim()
    assert (await store.inspect(queue, "b")).limited_ms == 250
    clock.advance(0.1)

    assert (await store.inspect(queue, "b")).limited_ms == 150


async def test_a_suspect_and_a_cancel_request_are_shown(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    await make_exclusive(store, queue, clock)
    await Owner(store, queue).turn(1)
    await store.cancel(queue, "a")

    a, b = await store.inspect(queue, "a"), await store.inspect(queue, "b")

    assert (a.state, a.cancel_requested) == ("active", True)
    assert (b.state, b.quarantined) == ("waiting", True)


async def test_an_unknown_or_a_damaged_job_is_not_found(
    store: Store, probe: Probe, declare: Declare
) -> None:
    await probe.replace("q", "broken", "rubbish")
    for job_id in ("unknown", "broken"):
        with pytest.raises(JobNotFound):
            await store.inspect(declare(), job_id)


async def test_stats_count_every_place_and_write_nothing(
    store: Store, probe: Probe, started: tuple[Queue, Owner]
) -> None:
    queue, _owner = started
    await probe.run("RPUSH", probe.key("q", "inbox"), "x")
    before = await probe.snapshot(), await probe.scalars()

    stats = await store.stats(queue)

    ones = ("low", "delayed", "active", "parked", "completed", "cancelled", "dead", "inbox")
    assert stats.sizes == {**dict.fromkeys(stats.sizes, 0), **dict.fromkeys(ones, 1)}
    assert (stats.waiting, stats.oldest, stats.paused) == (2, "waiting.q", False)
    assert (stats.tokens, stats.totals["claimed"], stats.totals["done"]) == (95, 5, 1)
    assert (await probe.snapshot(), await probe.scalars()) == before


async def test_stats_of_a_queue_that_was_never_used_are_zeros(
    store: Store, declare: Declare
) -> None:
    stats = await store.stats(declare())

    assert set(stats.sizes.values()) | set(stats.totals.values()) == {0}
    assert (stats.oldest, stats.tokens, stats.histograms) == (None, None, {})


async def test_ended_jobs_are_browsed_page_by_page_newest_first(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    owner = Owner(store, queue)
    for i in range(3):
        await store.enqueue(queue, numbered(4, f"r{i}-"))
        await owner.finish(*await owner.claim(), kind="dead")
        clock.advance(1)
    seen: list[str] = []
    newest, skip = "+inf", 0
    while page := await store.browse(queue, "dead", newest=newest, skip=skip, most=3):
        seen += [row.id for row in page]
        last = page[-1].at_ms
        same = sum(row.at_ms == last for row in page)
        skip = skip + same if str(last) == newest else same
        newest = str(last)

    expected = [f"r{i}-{n:03}.q" for i in (2, 1, 0) for n in (3, 2, 1, 0)]
    assert seen == expected


async def test_a_row_has_the_errors_but_no_payload_and_a_damaged_one_its_bytes(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, [Job("mail", '{"to":"ü"}', id="a")])
    owner = Owner(store, queue)
    history = '{"errors":[{"message":"é"}]}'
    await owner.turn(0, [settle(c, "dead", 0, history) for c in await owner.claim()])
    await probe.seed("q", {"dead": {"zz": 5}, "records": {"zz": "rubbish"}})

    good, bad = await store.browse(queue, "dead")

    assert (good.type, good.payload, good.attempts) == ("mail", "", 1)
    assert good.history == {"errors": [{"message": "é"}]}
    assert (bad.id, bad.reason, bad.payload) == ("zz.q", "damaged", b"rubbish")


async def test_an_overview_tells_of_each_queue_what_its_stats_tell(
    store: Store, probe: Probe, declare: Declare, started: tuple[Queue, Owner]
) -> None:
    queue, _owner = started
    never_used, urgent, dead = declare("never"), declare("urgent"), declare("dead")
    await store.enqueue(urgent, [*jobs("a", priority="high"), *jobs("b", "c", priority="low")])
    await store.pause(urgent, paused=True)
    await store.enqueue(dead, jobs("x", "y"))
    other = Owner(store, dead, "other")
    await other.turn(0, [settle(claim, "dead") for claim in await other.claim()])
    queues = [queue, never_used, urgent, dead]
    assert await store.overview(queues) == [await store.stats(one) for one in queues]
    await probe.run("RPUSH", probe.key("never", "inbox"), "x")

    assert await store.overview(queues) == [await store.stats(one) for one in queues]


async def test_an_overview_of_no_queue_asks_nothing(store: Store) -> None:
    before = store.meter.commands

    assert await store.overview([]) == []
    assert store.meter.commands == before


async def test_a_job_is_inspected_by_its_id_or_its_public_id(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))

    for job_id in ("a", "a.q"):
        assert (await store.inspect(queue, job_id)).id == "a.q"
    for job_id in ("b", "b.q", "a.other", "a.", ".q", "a.q.q", "."):
        with pytest.raises(JobNotFound):
            await store.inspect(queue, job_id)


async def test_headers_tell_types_and_keys_of_the_jobs_that_there_are(
    store: Store, probe: Probe, declare: Declare
) -> None:
    queue = declare()
    steps = {"backoff": {"steps": [float(n) for n in range(99)], "jitter": 0.0}}
    await store.enqueue(queue, [Job("t\u2028", "{}", id="a", overrides=steps), *jobs("b", key="k")])
    await store.enqueue(queue, numbered(500, key="many"))
    await probe.run("HSET", probe.key("q", "records"), "damaged", "w 0 0", "deleted", "")
    many = [f"j{n:03}" for n in range(500)]

    headers = await store.headers(queue, ["a", "gone", *many, "damaged", "b", "deleted"])

    assert headers == {
        "a": ("t\u2028", None),
        "b": ("t", "k"),
        **dict.fromkeys(many, ("t", "many")),
    }
    assert await store.headers(queue, []) == {}
