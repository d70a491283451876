"""Each alert fires and recovers, once; none below its minimum of samples."""

from __future__ import annotations

import asyncio
import logging

import pytest

from shared.alerts.evaluate import evaluate
from shared.alerts.notice import Notice
from shared.alerts.rules import SAMPLES
from shared.alerts.state import MOST_NOTICES
from shared.config.alerts import AlertSettings
from shared.testing import Fate
from tests.alerts.conftest import Alerts, RecordingSink
from tests.support.turns import LEASE_MS, Owner
from tests.support.world import World


async def test_a_backlog_fires_when_it_lasts_and_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.enqueue(101)
    await alerts.evaluate(1)
    once = told.take()
    await alerts.evaluate()
    twice = told.take()
    await alerts.evaluate()
    again = told.take()
    await alerts.drain()
    await alerts.evaluate(1)

    assert (once, again) == ([], [])
    assert twice == [("backlog", "q", True)]
    assert told.take() == [("backlog", "q", False)]


async def test_a_hundred_waiting_jobs_are_no_backlog(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.enqueue(100)
    for _ in range(2):
        await alerts.evaluate(1)

    assert told.take() == []


async def test_a_burst_that_the_next_drain_takes_is_no_backlog(
    alerts: Alerts, told: RecordingSink
) -> None:
    for _ in range(3):
        await alerts.enqueue(150)
        await alerts.evaluate(1)
        await alerts.drain()
        await alerts.evaluate(1)

    assert told.take() == []


async def test_thresholds_are_by_queue(alerts: Alerts, told: RecordingSink) -> None:
    alerts.env = {"TIDEGATE_ALERTS": "backlog=500, q/backlog=10"}
    await alerts.enqueue(11)
    for _ in range(2):
        await alerts.evaluate(1)
    assert told.take() == [("backlog", "q", True)]

    alerts.env = {"TIDEGATE_ALERTS": "backlog=off"}
    await alerts.evaluate(1)
    assert told.take() == [("backlog", "q", False)]


async def test_a_failure_rate_fires_above_five_percent_and_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.evaluate()
    await alerts.run(18)
    await alerts.run(2, broken=True)
    await alerts.evaluate()
    fired = told.take()
    await alerts.run(20)
    await alerts.evaluate()

    assert fired == [("failure_rate", "q", True)]
    assert told.take() == [("failure_rate", "q", False)]


async def test_five_percent_are_not_above_five_percent(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.evaluate()
    await alerts.run(19)
    await alerts.run(1, broken=True)
    await alerts.evaluate()

    assert told.take() == []


async def test_a_failure_rate_needs_its_samples_over_however_many_evaluations(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.evaluate()
    for done in range(1, SAMPLES + 1):
        await alerts.run(1, broken=True)
        await alerts.evaluate(1)
        assert bool(told.take()) == (done == SAMPLES)

    await alerts.evaluate(1)
    await alerts.evaluate(3600)  # nothing ran for an hour

    assert told.take() == [("failure_rate", "q", False)]


async def test_a_latency_fires_at_more_than_twice_the_usual_one_and_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.evaluate()
    for _ in range(3):
        await alerts.run(SAMPLES, seconds=1.0)
        await alerts.evaluate()
    usual = told.take()
    await alerts.run(SAMPLES, seconds=5.0)
    await alerts.evaluate()
    slow = told.take()
    await alerts.run(SAMPLES, seconds=1.0)
    await alerts.evaluate()

    assert usual == []
    assert slow == [("latency", "q", True)]
    assert told.take() == [("latency", "q", False)]


async def test_a_latency_needs_a_baseline_and_samples_and_more_than_a_second(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.evaluate()
    await alerts.run(SAMPLES, seconds=1.0)  # without a baseline
    await alerts.evaluate()
    await alerts.run(SAMPLES - 1, seconds=3.0)  # without the samples
    await alerts.evaluate(1)
    without = told.take()
    await alerts.run(1, seconds=3.0)
    await alerts.evaluate(1)

    assert without == []
    assert told.take() == [("latency", "q", True)]


async def test_milliseconds_that_double_disturb_nobody(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.evaluate()
    await alerts.run(SAMPLES, seconds=0.002)
    await alerts.evaluate()
    await alerts.run(SAMPLES, seconds=0.02)
    await alerts.evaluate()

    assert told.take() == []


async def test_jobs_that_are_parked_fire_twice_in_a_row_and_recover(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.enqueue(3)
    handled = alerts.queue.types.pop("t")
    await alerts.drain()
    await alerts.evaluate(1)
    once = told.take()
    await alerts.evaluate(1)
    twice = told.take()
    alerts.queue.types["t"] = handled
    alerts.world.clock.advance(1000)
    await alerts.drain()
    await alerts.evaluate(1)

    assert once == []
    assert twice == [("parked", "q", True)]
    assert told.take() == [("parked", "q", False)]


async def crash(alerts: Alerts, n: int) -> None:
    """`n` leases end because their functions have died."""
    await alerts.enqueue(n)
    world = alerts.world
    await Owner(world.store, alerts.queue, "dead").turn(n)
    world.clock.advance(LEASE_MS / 1000 + 1)
    await alerts.drain()


async def test_a_crash_loop_fires_with_the_third_crash_and_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.evaluate()
    await crash(alerts, 2)
    await alerts.evaluate(1)
    two = told.take()
    await crash(alerts, 1)
    await alerts.evaluate(1)
    three = told.take()
    await alerts.run(SAMPLES)
    await alerts.evaluate(1)
    await alerts.run(SAMPLES)
    await alerts.evaluate(1)

    assert two == []
    assert three == [("crash_loop", "q", True)]
    assert told.take() == [("crash_loop", "q", False)]


async def test_a_queue_that_is_nearly_full_fires_and_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    alerts.env = {"TIDEGATE_ALERTS": "backlog=off"}
    await alerts.enqueue(801)
    await alerts.evaluate(1)
    fired = told.take()
    await alerts.world.store.purge(alerts.queue)
    await alerts.evaluate(1)

    assert fired == [("queue_full", "q", True)]
    assert told.take() == [("queue_full", "q", False)]


async def test_the_memory_of_the_plan_fires_at_four_fifths_and_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.enqueue(10)
    stored = (await alerts.world.store.stats(alerts.queue)).bytes
    alerts.env = {"TIDEGATE_STORE_BYTES": str(stored * 5 // 4)}
    await alerts.evaluate(1)
    at_most = told.take()
    alerts.env = {"TIDEGATE_STORE_BYTES": str(stored * 6 // 5)}
    await alerts.evaluate(1)
    fired = told.take()
    await alerts.world.store.purge(alerts.queue)
    await alerts.evaluate(1)

    assert at_most == []
    assert fired == [("store_bytes", "", True)]
    assert told.take() == [("store_bytes", "", False)]


@pytest.mark.parametrize("delay", [None, 30.0])  # waiting; delayed
async def test_missed_ticks_fire_while_work_is_due_and_recover(
    alerts: Alerts, told: RecordingSink, delay: float | None
) -> None:
    if delay is None:
        await alerts.enqueue(1)
    else:
        await alerts.world.store.enqueue(alerts.queue, [alerts.job(delay=delay)])
    await alerts.evaluate(150 + (delay or 0))
    on_time = told.take()
    await alerts.evaluate(1)
    fired = told.take()
    await alerts.evaluate(1)
    again = told.take()
    await alerts.world.drain().tick()
    await alerts.evaluate(1)

    assert (on_time, again) == ([], [])
    assert fired == [("missed_ticks", "", True)]
    assert told.take() == [("missed_ticks", "", False)]


async def test_what_cannot_run_misses_no_tick(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.enqueue(3)
    await Owner(alerts.world.store, alerts.queue, lease_ms=7200_000).turn(1)
    await alerts.world.store.pause(alerts.queue, paused=True)
    await alerts.world.drain().tick()
    await alerts.evaluate(3600)

    assert told.take() == []


async def test_the_archive_is_behind_beyond_an_hour(alerts: Alerts, told: RecordingSink) -> None:
    for lag in (None, 3600.0, 3601.0, 4000.0, 10.0):
        await alerts.evaluate(1, archive_lag=lag)

    assert told.take() == [("archive_behind", "", True), ("archive_behind", "", False)]


async def test_a_queue_that_is_not_declared_any_more_recovers(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.enqueue(101)
    for _ in range(2):
        await alerts.evaluate(1)
    assert told.take() == [("backlog", "q", True)]

    alerts.queues = [alerts.other]
    left = await alerts.evaluate(1)

    assert told.take() == [("backlog", "q", False)]
    assert set(left.state.readings) == {"other"}
    assert left.state.standings == {}


async def test_counts_that_fall_begin_anew(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.evaluate()
    await alerts.run(SAMPLES)
    await alerts.evaluate()
    await alerts.world.engine.execute(["DEL", "{test:q}:records"])
    await alerts.run(1, broken=True)
    await alerts.evaluate()

    assert told.take() == []


async def test_a_sink_that_is_down_is_told_later_and_once(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.enqueue(101)
    told.down = True
    for _ in range(3):
        await alerts.evaluate(1)
    await alerts.drain()
    await alerts.evaluate(1)
    told.down = False
    await alerts.evaluate(1)
    both = told.take()
    await alerts.evaluate(1)

    assert both == [("backlog", "q", True), ("backlog", "q", False)]
    assert told.take() == []


@pytest.mark.parametrize("error", [
    ValueError("a"), OSError("a"), UnicodeEncodeError("ascii", "\u00e4", 0, 1, "no"), KeyError("a"),
], ids=lambda error: type(error).__name__)  # fmt: skip
async def test_what_a_sink_raises_keeps_no_other_from_its_notice(
    alerts: Alerts, told: RecordingSink, error: Exception
) -> None:
    class BrokenSink:
        name = "broken"

        async def tell(self, _notice: Notice) -> bool:
            raise error

    await alerts.enqueue(101)
    for _ in range(3):
        alerts.world.clock.advance(60)
        settings = AlertSettings.from_env({})
        left = await evaluate(
            alerts.world.store, alerts.queues, settings, sinks=[BrokenSink(), told]
        )

    assert told.take().count(("backlog", "q", True)) == 1
    assert {one.pending for one in left.state.outbox} == {("broken",)}


async def test_two_evaluations_at_once_tell_once(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.enqueue(101)
    await alerts.evaluate(1)
    stores = [alerts.world.client() for _ in range(5)]

    done = await asyncio.gather(*(alerts.evaluate(0, store=store) for store in stores))

    assert told.take() == [("backlog", "q", True)]
    assert sum(one.kept for one in done) >= 1


async def test_a_lost_reply_loses_no_notice(alerts: Alerts, told: RecordingSink) -> None:
    await alerts.enqueue(101)
    await alerts.evaluate(1)
    fates = [*[Fate.DELIVERED] * 4, Fate.LOST_AFTER]  # overview, agenda, counts, state, exchange
    lossy = alerts.world.client(fates)
    await alerts.evaluate(1, store=lossy)
    await alerts.evaluate(1)
    await alerts.evaluate(1)

    assert told.take() == [("backlog", "q", True)]


async def test_the_state_is_bounded_and_goes_when_nothing_evaluates(
    alerts: Alerts, told: RecordingSink
) -> None:
    told.down = True
    for _ in range(MOST_NOTICES):
        await alerts.evaluate(1, archive_lag=9999.0)
        left = await alerts.evaluate(1, archive_lag=0.0)

    assert len(left.state.outbox) == MOST_NOTICES
    lifetime = await alerts.world.engine.execute(["PTTL", "test:alerts"])
    assert 0 < int(str(lifetime)) <= 30 * 86_400_000


async def test_an_evaluation_costs_the_overview_and_six_commands(
    alerts: Alerts, world: World
) -> None:
    await alerts.evaluate(1)
    before = world.store.meter.snapshot()

    await alerts.evaluate(1)

    used = world.store.meter.since(before)
    once = {"agenda": 1, "counts": 1, "alerts": 1}
    assert used.by_verb == {"overview": 2 + 3, **once, "exchange": 3}
    assert used.requests == 5


async def test_the_log_tells_what_fires(alerts: Alerts, caplog: pytest.LogCaptureFixture) -> None:
    await alerts.enqueue(101)
    with caplog.at_level(logging.INFO, "tidegate.alerts"):
        for _ in range(3):
            alerts.world.clock.advance(1)
            await evaluate(alerts.world.store, alerts.queues, AlertSettings.from_env({}))

    (record,) = [one for one in caplog.records if one.name == "tidegate.alerts"]
    assert (record.levelname, record.message) == ("WARNING", "alert_fired")
    assert vars(record)["detail"] == "queue q: 101 waiting jobs"


async def test_refused_logins_fire_beyond_a_hundred_within_an_hour_and_recover(
    alerts: Alerts, told: RecordingSink
) -> None:
    counts = alerts.world.store.access
    await counts.add("401", 5000)  # before the first evaluation: not judged
    await alerts.evaluate()
    await counts.add("401", 99)
    await counts.add("403", 1)
    await alerts.evaluate()
    hundred = told.take()
    await counts.add("403", 1)
    await alerts.evaluate()
    fired = told.take()
    await counts.add("401", 500)
    await alerts.evaluate()
    again = told.take()
    await counts.add("401", 100)
    await alerts.evaluate(3599)
    early = told.take()
    await alerts.evaluate(1)

    assert (hundred, again, early) == ([], [], [])
    assert fired == [("refused", "", True)]
    assert told.take() == [("refused", "", False)]


async def test_an_hour_of_refused_logins_ends_after_the_clock_went_back(
    alerts: Alerts, told: RecordingSink
) -> None:
    counts = alerts.world.store.access
    await alerts.evaluate(30 * 86_400)
    await counts.add("401", 101)
    await alerts.evaluate()
    alerts.world.clock.step(-30 * 86_400)
    await alerts.evaluate()
    fired = told.take()
    await alerts.evaluate(3600)

    assert fired == [("refused", "", True)]
    assert told.take() == [("refused", "", False)]


async def test_a_slow_trickle_of_refused_logins_is_none(
    alerts: Alerts, told: RecordingSink
) -> None:
    await alerts.evaluate()
    for _ in range(5):
        await alerts.world.store.access.add("401", 100)
        await alerts.evaluate(3600)

    assert told.take() == []


async def test_the_commands_of_the_month_fire_at_four_fifths_and_recover_with_the_next(
    alerts: Alerts, told: RecordingSink
) -> None:
    alerts.env = {"TIDEGATE_STORE_COMMANDS": "10000"}
    counts = alerts.world.store.access
    await counts.add("commands", 9999)  # of another month, for all that is known
    await alerts.evaluate()
    await counts.add("commands", 7900)
    await alerts.run(1)  # drains count their own, some 50
    await alerts.evaluate()
    below = told.take()
    await counts.add("commands", 100)
    await alerts.evaluate()
    fired = told.take()
    await alerts.evaluate(31 * 86_400)

    assert below == []
    assert fired == [("month_commands", "", True)]
    assert told.take()[-1] == ("month_commands", "", False)


async def test_counts_that_were_deleted_begin_anew(alerts: Alerts, told: RecordingSink) -> None:
    alerts.env = {"TIDEGATE_STORE_COMMANDS": "100"}
    counts = alerts.world.store.access
    await counts.add("401", 90)
    await counts.add("commands", 50)
    await alerts.evaluate()
    await alerts.world.engine.execute(["DEL", "test:api-counts"])
    await alerts.evaluate()
    await counts.add("401", 100)
    await counts.add("commands", 80)
    await alerts.evaluate()

    assert told.take() == []


async def test_notices_beyond_the_bound_are_counted_and_told(
    alerts: Alerts, told: RecordingSink
) -> None:
    told.down = True
    for _ in range(MOST_NOTICES):
        await alerts.evaluate(1, archive_lag=9999.0)
        await alerts.evaluate(1, archive_lag=0.0)
    told.down = False
    await alerts.evaluate(1, archive_lag=0.0)

    first, *others = told.notices
    assert (first.kind, first.value) == ("dropped", MOST_NOTICES + 1)
    assert first.text == f"{MOST_NOTICES + 1} older notices could not be told and were dropped"
    assert len(others) == MOST_NOTICES - 1
    assert {one.rule for one in others} == {"archive_behind"}
    assert len({one.id for one in told.notices}) == MOST_NOTICES
