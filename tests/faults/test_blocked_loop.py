"""A handler that blocks the event loop: the report and the log tell for how long."""

from __future__ import annotations

import logging
import time

import pytest

from shared.drain.keeper import Keeper
from shared.embedded.engine import Engine
from shared.testing import FakeClock
from tests.support.values import Number
from tests.support.world import World

BEAT, LIMIT = 0.01, 0.2
"""Seconds in place of 0.5 and 5: the keeper measures the real time of a real thread."""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.drain.keeper.EVERY", BEAT)
    monkeypatch.setattr("shared.drain.keeper.BLOCKED", LIMIT)


async def lag(engine: Engine, clock: FakeClock, *blocked: float) -> float:
    """The `loop_lag` of a drain whose handlers block it for so many seconds, one after another."""
    async with World(engine, clock) as world:
        queue = world.app.queue("q", concurrency=1)

        @queue.job("t")
        async def handle(payload: Number) -> None:
            time.sleep(blocked[payload.n])  # noqa: ASYNC251 - the fault that is tested

        await world.enqueue(queue, len(blocked))
        keeper = Keeper(None)
        report = await world.drain(keeper=keeper).run([queue])
        keeper.stop()
        assert report.outcomes == {"done": len(blocked)}
        return report.loop_lag


@pytest.mark.parametrize("seconds", [0.25, 0.5, 0.9])
async def test_the_whole_time_is_told(
    engine: Engine, clock: FakeClock, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    caplog.set_level(logging.WARNING, "tidegate.drain")

    assert await lag(engine, clock, seconds) >= seconds

    lines = [record for record in caplog.records if record.message == "loop_blocked"]
    assert 1 <= len(lines) <= 2  # while it stands still, and when it runs again


async def test_the_longest_of_several_counts(engine: Engine, clock: FakeClock) -> None:
    assert await lag(engine, clock, 0.3, 0.6, 0.0) >= 0.6


async def test_a_loop_that_runs_has_no_lag(engine: Engine, clock: FakeClock) -> None:
    assert await lag(engine, clock, 0.0) == 0.0
