"""Leases that get a new end outside of a turn, for a process that can send none."""

from __future__ import annotations

import time
from functools import partial

import pytest

from shared.drain.keeper import Keeper, WatchedConsumer
from shared.store import Store
from shared.testing import FakeClock
from tests.support.probe import Probe
from tests.support.turns import LEASE_MS, Owner, ids, numbered
from tests.support.values import Declare


async def test_open_leases_get_a_new_end_and_closed_ones_none(
    store: Store, declare: Declare, probe: Probe, clock: FakeClock
) -> None:
    queue = declare()
    await store.enqueue(queue, numbered(3))
    owner = Owner(store, queue)
    claims = await owner.claim()
    await owner.finish(claims[0])
    clock.advance(20)

    await store.prolong(queue, [claim.lease for claim in claims], LEASE_MS)

    ends = (await probe.snapshot())["active"]
    assert ends == {claim.lease: clock.epoch_ms() + LEASE_MS for claim in claims[1:]}
    clock.advance(LEASE_MS / 1000 - 1)
    other = await Owner(store, queue, "o2").turn(10)
    assert ids(other.claims) == []


async def test_prolonging_nothing_costs_nothing(store: Store, declare: Declare) -> None:
    before = store.meter.requests
    await store.prolong(declare(), [], LEASE_MS)
    assert store.meter.requests == before


@pytest.mark.parametrize("broken", [False, True])
async def test_a_keeper_prolongs_every_queue_while_the_loop_stands_still(
    store: Store, declare: Declare, probe: Probe, clock: FakeClock, *, broken: bool
) -> None:
    """The keeper's own steps, without its thread: a loop that stands still can't run a test."""
    queues = [declare(name) for name in ("a", "b", "c")]
    leases = {}
    for queue in queues:
        await store.enqueue(queue, numbered(2))
        leases[queue.name] = [claim.lease for claim in await Owner(store, queue).claim()]
    if broken:
        await probe.run("DEL", probe.key("a", "active"))
        await probe.run("SET", probe.key("a", "active"), "no sorted set")
    clock.advance(20)
    keeper = Keeper(lambda: store)
    late = [
        WatchedConsumer(
            queue, partial(leases.__getitem__, queue.name), time.monotonic, lambda: LEASE_MS
        )
        for queue in queues
    ]

    await keeper.send(store, late)

    for queue in queues[1:] if broken else queues:
        ends = (await probe.snapshot(queue.name))["active"]
        assert set(ends.values()) == {clock.epoch_ms() + LEASE_MS}
