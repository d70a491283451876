"""The drain's own Python under the simulator: kills at every await, lost replies, SIGTERM, in
virtual time, with a census after each request."""

from __future__ import annotations

import itertools

import pytest

from shared.testing import FakeClock, run_virtually
from tests.simulation.functions import Town, live
from tests.simulation.server import Server
from tests.simulation.world import EPOCH, AuditedStore

SECONDS = 120.0


@pytest.mark.parametrize("seed", range(1, 9))
def test_real_drains_keep_the_invariants_in_a_hostile_town(
    server: Server, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr("secrets.token_hex", lambda _size: f"lane{next(numbers)}")
    clock = FakeClock(EPOCH)
    town = Town(seed, AuditedStore(server, seed), clock)

    run_virtually(live(town, SECONDS), clock)

    assert sum(town.world.calls.values()) > 100
    assert town.world.ledger.ended > 0
    assert town.world.seen["follow-ups"] > 0
    assert town.fates["delivered"] < 0.9 * sum(town.fates.values())
