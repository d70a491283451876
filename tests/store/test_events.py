"""Events: told by the turns that make them true, in one bounded stream; free while off."""

from __future__ import annotations

import pytest

from shared.errors import InvalidOption
from shared.jobs.outcome import Kind
from shared.observe.events import EventFilter
from shared.store import Store
from shared.store.events import Event, EventPage, read_events
from shared.testing import FakeClock
from tests.support.turns import LEASE_MS, Owner, jobs, make_exclusive, numbered, settle
from tests.support.values import Declare


async def read(store: Store, cursor: str | None = None) -> EventPage:
    return await read_events(store.rest, store.prefix, cursor)


async def told(store: Store) -> list[tuple[str, str, str, int]]:
    """(kind, id, state, attempt) of all events that are kept."""
    return [(one.kind, one.id, one.state, one.attempt) for one in (await read(store)).events]


@pytest.mark.parametrize(
    ("kind", "delay_ms", "expected"),
    [
        ("done", 0, [("completed", "a.q", "completed", 1)]),
        ("dead", 0, [("failed", "a.q", "dead", 1)]),
        ("retry", 0, [("failed", "a.q", "waiting", 1)]),
        ("retry", 5000, [("failed", "a.q", "delayed", 1)]),
        ("release", 0, []),
        ("snooze", 5000, []),
        ("park", 5000, []),
        ("cancelled", 0, []),
        ("decide", 0, []),
    ],
)
async def test_an_end_and_a_failed_attempt_are_told(
    store: Store, declare: Declare, kind: Kind, delay_ms: int, expected: list[object]
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()

    await owner.turn(0, [settle(claim, kind, delay_ms)._replace(label="7 t")], events=True)

    assert await told(store) == expected


async def test_an_event_has_what_the_client_said_of_type_and_progress(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a", "b"))
    owner = Owner(store, queue)
    first, second = await owner.claim()

    await owner.turn(0, [
        settle(first, "keep")._replace(label="12.5 order ship"),
        settle(second, "keep")._replace(label="- t"),  # lines of its log, and no progress
    ], events=True)  # fmt: skip
    await owner.turn(0, [settle(first)._replace(label="- order ship")], events=True)

    now = clock.epoch_ms()
    progress, completed = (await read(store)).events
    assert progress == Event("progress", now, "q", "a.q", "order ship", "active", 1, 12.5)
    assert completed == Event("completed", now, "q", "a.q", "order ship", "completed", 1, None)


async def test_a_stale_settle_tells_nothing_and_the_lost_lease_is_told_as_stalled(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    (claim,) = await Owner(store, queue, "dead").claim()
    clock.advance(LEASE_MS / 1000)

    await Owner(store, queue, "next").turn(0, events=True)
    await Owner(store, queue, "late").turn(0, [settle(claim)._replace(label="- t")], events=True)

    assert await told(store) == [("stalled", "a.q", "waiting", 1)]


async def test_a_death_by_crashes_is_told_as_stalled_and_failed(
    store: Store, declare: Declare, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await make_exclusive(store, queue, clock)
    for name in ("x", "y", "z"):
        await Owner(store, queue, name).claim()
        clock.advance(LEASE_MS / 1000)
        await Owner(store, queue, f"after-{name}").turn(0, events=True)

    assert (await told(store))[-2:] == [("failed", "a.q", "dead", 1), ("stalled", "a.q", "dead", 1)]


async def test_a_repeated_turn_tells_its_events_once(store: Store, declare: Declare) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    owner = Owner(store, queue)
    (claim,) = await owner.claim()
    await owner.turn(0, [settle(claim)], events=True)

    await owner.again()

    assert await told(store) == [("completed", "a.q", "completed", 1)]


@pytest.mark.one_shard
@pytest.mark.parametrize("batch", [1, 20, 200])
async def test_a_turn_that_settles_costs_one_command_more_with_events_and_none_without(
    store: Store, declare: Declare, batch: int
) -> None:
    queue, costs = declare(), dict[str, int]()
    await store.enqueue(queue, numbered(4 * batch))
    owner = Owner(store, queue)
    held = await owner.claim(batch)
    for name, events in (("warm", False), ("off", False), ("on", True)):
        before = store.meter.commands
        claims = (await owner.turn(batch, [settle(c) for c in held], events=events)).claims
        costs[name], held = store.meter.commands - before, claims

    idle = store.meter.commands
    await owner.turn(0, events=True)
    idle_on, idle = store.meter.commands - idle, store.meter.commands
    await owner.turn(0, events=False)

    assert costs["on"] == costs["off"] + 1
    assert idle_on == store.meter.commands - idle


@pytest.mark.best_server
async def test_the_stream_is_bounded_by_turns_and_by_bytes(store: Store, declare: Declare) -> None:
    queue = declare()
    label = f"- {'t' * 64}"
    for turn in range(3):
        await store.enqueue(queue, numbered(500, f"r{turn}-"))
    owner = Owner(store, queue)
    held = await owner.claim(500)
    for _ in range(3):
        held = (
            await owner.turn(500, [settle(c)._replace(label=label) for c in held], events=True)
        ).claims

    page = await read(store)

    assert page.cut == {"q"}, "a page that lacks events says so"
    assert [EventFilter(queues).gap(page) for queues in (None, ["q"], ["other"])] == [
        True,
        True,
        False,
    ]
    assert 3 * 300 < len(page.events) < 3 * 500
    for n in range(300):
        await store.enqueue(queue, jobs(f"one{n}"))
        held = (await owner.turn(1, [settle(c) for c in held], events=True)).claims
    assert int(await store.rest.execute(["XLEN", f"{store.prefix}:events"], "test")) == 256


async def test_pages_follow_each_other_and_tell_what_is_gone(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    assert await read(store) == EventPage([], None, trimmed=False, cut=frozenset(), more=False)
    await store.enqueue(queue, numbered(30))
    owner = Owner(store, queue)
    held = await owner.claim(1)
    for _ in range(25):
        held = (await owner.turn(1, [settle(c) for c in held], events=True)).claims

    first = await read(store)
    second = await read(store, first.next)
    third = await read(store, second.next)

    assert [len(first.events), first.more, first.trimmed] == [20, True, False]
    assert [len(second.events), second.more, second.trimmed] == [5, False, False]
    assert third == EventPage([], second.next, trimmed=False, cut=frozenset(), more=False)
    assert [one.id for one in [*first.events, *second.events]] == [f"j{n:03}.q" for n in range(25)]
    await store.rest.execute(["XDEL", f"{store.prefix}:events", str(first.next)], "test")
    assert (await read(store, first.next)).trimmed


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_a_cursor_beyond_the_last_event_is_a_gap_and_goes_on_from_there(
    store: Store, declare: Declare, kept: int
) -> None:
    """A client that followed another store, or this one before it lost its data."""
    queue = declare()
    await store.enqueue(queue, numbered(kept + 1))
    owner = Owner(store, queue)
    held = await owner.claim(1)
    for _ in range(kept):
        held = (await owner.turn(1, [settle(c) for c in held], events=True)).claims

    page = await read(store, "999999999999999-0")
    assert page == EventPage(
        [], (await read(store)).next, trimmed=True, cut=frozenset(), more=False
    )
    await owner.turn(0, [settle(c) for c in held], events=True)

    after = await read(store, page.next)
    assert ([one.id for one in after.events], after.trimmed) == ([f"j{kept:03}.q"], False)


@pytest.mark.parametrize("cursor", ["", "1", "1-", "x-1", "1-1\n", "(1-1", "9" * 40 + "-1"])
async def test_what_is_no_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidOption, match="cursor"):
        await read(store, cursor)


async def test_a_stream_that_can_not_be_written_takes_no_turn_along(
    store: Store, declare: Declare
) -> None:
    queue = declare()
    await store.enqueue(queue, jobs("a"))
    await store.rest.execute(["SET", f"{store.prefix}:events", "no stream"], "test")
    owner = Owner(store, queue)
    (claim,) = await owner.claim()

    await owner.turn(0, [settle(claim)], events=True)

    assert (await store.inspect(queue, "a")).state == "completed"
