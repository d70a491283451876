"""What `tidegate.testing` gives to tests of schedules. The guide on tests uses it, too."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import App
from shared.declare.schedule import Schedule
from shared.testing import FakeClock, embedded_store, occurrences, tick
from tests.support.values import Number

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


def declared(app: App, **options: Any) -> Schedule:
    ran: Counter[int] = Counter()

    @app.queue("q").job("count")
    async def count(payload: Number) -> None:
        ran[payload.n] += 1

    return app.schedule("s", count, lambda planned: Number(n=planned.minute), **options)


@pytest.mark.parametrize(
    ("options", "begin", "end", "hours"),
    [
        ({"every": 1800}, NOON, NOON + timedelta(hours=1), [12, 12.5, 13]),
        ({"every": 1800}, NOON + timedelta(seconds=1), NOON + timedelta(minutes=29), []),
        ({"cron": "@hourly"}, NOON, NOON, [12]),
        ({"cron": "@hourly"}, NOON, NOON - timedelta(hours=3), []),
        ({"cron": "0 8 * * *", "timezone": "America/New_York"}, NOON, NOON + timedelta(2), [8, 8]),
    ],
)
def test_occurrences_are_those_between_two_instants_in_the_zone_of_the_schedule(
    options: dict[str, Any], begin: datetime, end: datetime, hours: list[float]
) -> None:
    planned = occurrences(declared(App("a"), **options), begin, end)

    assert [at.hour + at.minute / 60 for at in planned] == hours


def test_a_change_of_clocks_is_seen_in_the_offset() -> None:
    schedule = declared(App("a"), cron="0 7 * * *", timezone="Europe/Berlin")
    begin = datetime(2027, 3, 27, tzinfo=UTC)

    planned = occurrences(schedule, begin, begin + timedelta(days=2))

    assert [at.isoformat() for at in planned] == [
        "2027-03-27T07:00:00+01:00",
        "2027-03-28T07:00:00+02:00",
    ]


def test_an_instant_without_a_time_zone_or_in_the_past_is_refused() -> None:
    clock, naive = FakeClock.at(NOON), NOON.replace(tzinfo=None)

    for call in (
        lambda: FakeClock.at(naive),
        lambda: clock.advance_to(naive),
        lambda: occurrences(declared(App("a"), every=60), naive, NOON),
    ):
        with pytest.raises(ValueError, match="has no time zone"):
            call()
    with pytest.raises(ValueError, match="is past"):
        clock.advance_to(NOON - timedelta(seconds=1))
    clock.advance_to(NOON)
    assert clock.epoch_ms() == NOON.timestamp() * 1000


async def test_a_tick_fires_what_is_due_by_the_clock_and_drains_it() -> None:
    app, clock = App("a"), FakeClock.at(NOON)
    declared(app, every=600)

    async with embedded_store(clock=clock) as store:
        outcomes = []
        for minutes in (0, 9, 10, 15, 20):
            clock.advance_to(NOON + timedelta(minutes=minutes))
            outcomes.append((await tick(store, app, clock=clock)).outcomes["done"])

    assert outcomes == [0, 0, 1, 0, 1]
