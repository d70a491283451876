"""The counters of a queue: added up by turns, once each, at no command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store import Store
from shared.store.counters import by_reason, histogram, read_counters, write_counters
from tests.support.turns import Owner, jobs, settle
from tests.support.values import Declare

NAMES = st.from_regex(r"[a-z_]{1,12}[0-9]{0,2}", fullmatch=True)


@given(st.dictionaries(NAMES, st.integers(0, 2**53 - 1)))
def test_counters_are_read_as_they_were_written(counters: dict[str, int]) -> None:
    assert read_counters(write_counters(counters)) == counters


def test_a_kind_is_taken_out_of_all() -> None:
    counters = {"d1": 2, "d3": 4, "w1": 9, "stop_empty": 5, "stop_budget": 1, "commands": 7}

    assert histogram(counters, "d", 4) == [2, 0, 4, 0]
    assert by_reason(counters, "stop_") == {"empty": 5, "budget": 1}
    assert by_reason(counters, "held_") == {}


async def test_turns_add_their_counts_up(store: Store, declare: Declare) -> None:
    queue, owner = declare(), Owner(store, declare())

    await owner.turn(counters={"d1": 1, "stop_empty": 2})
    await owner.turn()
    await owner.turn(counters={"d1": 2**40, "w12": 3})

    expected = {"d1": 2**40 + 1, "stop_empty": 2, "w12": 3}
    assert (await store.stats(queue)).counters == expected
    assert [one.counters for one in await store.overview([queue])] == [expected]


async def test_a_repeated_turn_counts_once(store: Store, declare: Declare) -> None:
    owner = Owner(store, declare())
    await owner.turn(counters={"d1": 1})

    await owner.again()

    assert (await store.stats(declare())).counters == {"d1": 1}


async def test_counts_beside_settles_durations_and_prolonged_leases_are_told_apart(
    store: Store, declare: Declare
) -> None:
    queue, owner = declare(), Owner(store, declare())
    await store.enqueue(queue, jobs("a", "b", "c"))
    held = await owner.claim()

    await owner.turn(
        0,
        [settle(held[0])],
        observed={"t": {3: 1}, "u": {5: 2}},
        want_histograms=["t"],
        prolong=[held[1].lease],
        counters={"d3": 1, "d5": 2},
    )

    stats = await store.stats(queue)
    assert stats.counters == {"d3": 1, "d5": 2}
    assert (await owner.turn(want_histograms=["t"])).histograms["t"][2] == 1
    assert stats.sizes["active"] == 2
    assert stats.totals["done"] == 1


@pytest.mark.one_shard
async def test_counts_cost_no_command(store: Store, declare: Declare) -> None:
    queue, owner, commands = declare(), Owner(store, declare()), list[int]()
    for name, counters in (("warm", {}), ("a", {}), ("b", {"d1": 1, "w3": 2, "stop_empty": 1})):
        await store.enqueue(queue, jobs(name))
        held = await owner.claim()
        before = store.meter.snapshot()
        await owner.turn(0, [settle(held[0])], counters=counters)
        commands.append(store.meter.since(before).commands)

    assert commands[1] == commands[2]


async def test_an_empty_queue_has_no_counters(store: Store, declare: Declare) -> None:
    assert (await store.stats(declare())).counters == {}
    assert [one.counters for one in await store.overview([declare(), declare("r")])] == [{}, {}]
