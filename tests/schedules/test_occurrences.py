"""The instants of schedules, against references that are computed with zoneinfo alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared import App
from shared.declare.schedule import Schedule
from shared.schedules.occurrences import MOST_AT_ONCE, after, due, first_after, last_until

ZONES = (
    *("UTC", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Moscow"),
    *("America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo"),
    *("America/Santiago", "America/Havana", "Africa/Cairo", "Africa/Casablanca"),
    *("Asia/Kolkata", "Asia/Beirut", "Asia/Tehran", "Australia/Lord_Howe", "Australia/Sydney"),
    *("Pacific/Apia", "Pacific/Chatham"),
)
FIRST, YEARS = 2020, 10


class EmptyPayload(BaseModel):
    """A payload."""


def schedule(**options: object) -> Schedule:
    app = App("times")
    queue = app.queue("q")

    @queue.job("t")
    async def handle(_payload: EmptyPayload) -> None: ...

    return app.schedule("s", handle, EmptyPayload(), **options)  # type: ignore[arg-type]


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def reference(zone: ZoneInfo, day: date, hour: int, minute: int) -> int:
    """The instant of a wall time: the first where clocks repeat it, the end of the gap where they
    skip it."""
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=0)
    if wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return ms(wall)
    before, later = wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    low, high = min(before, later) - timedelta(hours=3), max(before, later) + timedelta(hours=3)
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):  # the change of clocks lies between
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return round(high.timestamp()) * 1000


def skipped_days(zone: ZoneInfo, day: date) -> bool:
    """True where the whole day does not exist (Apia, 2011)."""
    return (
        datetime(day.year, day.month, day.day, 12, tzinfo=zone)
        .astimezone(UTC)
        .astimezone(zone)
        .date()
        != day
    )


@pytest.mark.parametrize("zone_name", ZONES)
@pytest.mark.parametrize(("hour", "minute"), [(2, 30), (0, 0)])
def test_a_daily_schedule_keeps_its_wall_time_over_ten_years(
    zone_name: str, hour: int, minute: int
) -> None:
    zone = ZoneInfo(zone_name)
    daily = schedule(cron=f"{minute} {hour} * * *", timezone=zone_name)
    days = [date(FIRST, 1, 2) + timedelta(days=n) for n in range(365 * YEARS)]
    wanted = [reference(zone, day, hour, minute) for day in days if not skipped_days(zone, day)]

    start = reference(zone, date(FIRST, 1, 1), hour, minute)

    assert list(islice(after(daily, start), len(wanted))) == wanted


@pytest.mark.parametrize("zone_name", ZONES)
def test_an_hourly_schedule_runs_once_an_hour_of_time_that_passes(zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    hourly = schedule(cron="0 * * * *", timezone=zone_name)
    start = datetime(FIRST, 1, 1, tzinfo=UTC)
    wanted: list[int] = []
    at = start
    while len(wanted) < 24 * 400:
        at += timedelta(minutes=15)  # all offsets are multiples of that
        if at.astimezone(zone).minute == 0:
            wanted.append(ms(at))

    assert list(islice(after(hourly, ms(start)), len(wanted))) == wanted


SCHEDULES = [
    schedule(cron="30 2 * * *", timezone="Europe/Berlin"),
    schedule(cron="*/15 * * * *", timezone="Australia/Lord_Howe"),
    schedule(cron="0 9 L * *", timezone="America/Havana"),
    schedule(cron="@weekly", timezone="Asia/Tehran"),
    schedule(cron="0 0 29 2 *"),
    schedule(every=90),
    schedule(every=86_400 * 3),
]
instants = st.integers(min_value=ms(datetime(2020, 1, 1, tzinfo=UTC)), max_value=1_900_000_000_000)


@given(chosen=st.sampled_from(SCHEDULES), instant=instants)
def test_last_and_first_meet_at_every_instant(chosen: Schedule, instant: int) -> None:
    last, first = last_until(chosen, instant), first_after(chosen, instant)

    assert last is not None
    assert last <= instant < first
    assert first_after(chosen, last) == first  # none between
    assert last_until(chosen, first) == first
    assert last_until(chosen, last) == last


@pytest.mark.parametrize(
    ("missed", "within", "ran"),
    [
        ("skip", None, 0),
        ("latest", None, 1),
        ("all", None, 18),
        ("skip", 700, 1),
        ("latest", 600, 1),
        ("latest", 200, 0),
        ("all", 3600, 6),
        ("all", 200, 0),
    ],
)
def test_three_hours_without_a_tick(missed: str, within: float | None, ran: int) -> None:
    """Every ten minutes; the next tick comes five minutes after the last of them."""
    often = schedule(every=600, missed=missed, within=within)
    planned = 600_000 * 10
    now = planned + 17 * 600_000 + 300_000

    instants, following = due(often, planned, now)

    assert len(instants) == ran
    assert instants == [planned + 600_000 * n for n in range(18 - ran, 18)]
    assert following == planned + 18 * 600_000


@pytest.mark.parametrize("missed", ["skip", "latest", "all"])
def test_an_occurrence_whose_tick_comes_a_little_late_runs(missed: str) -> None:
    assert due(schedule(every=3600, missed=missed), 3_600_000, 3_659_000).instants == [3_600_000]


@given(
    every=st.integers(1, 5000),
    gap=st.integers(0, 10_000_000),
    within=st.none() | st.integers(1, 10_000),
)
def test_all_runs_each_occurrence_once_in_bounded_parts(
    every: int, gap: int, within: float | None
) -> None:
    often = schedule(every=every, missed="all", within=within)
    entry, now, ran = every * 1000, every * 1000 + gap, list[int]()
    while entry <= now:
        instants, entry = due(often, entry, now)
        assert len(instants) <= MOST_AT_ONCE
        ran += instants

    oldest = 0 if within is None else now - within * 1000
    assert ran == [at for at in range(every * 1000, now + 1, every * 1000) if at >= oldest]
    assert entry == first_after(often, now)


def test_a_second_of_a_month_of_missed_ticks_is_not_counted_through() -> None:
    """ "latest" looks at the last one only, however many were missed."""
    month = 30 * 86_400_000

    instants, following = due(schedule(every=1), 1000, month + 500)

    assert (instants, following) == ([month], month + 1000)


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 0 1 * 1", [1, 4, 11, 18, 25]),  # each 1st and each Monday
        ("0 0 1-3 * 1", [1, 2, 3, 4, 11, 18, 25]),
        ("0 0 */2 * 1", [11, 25]),  # Mondays on odd days
        ("0 0 13 * */2", []),  # the 13th of January 2027 is a Wednesday
        ("0 0 * * 1", [4, 11, 18, 25]),
    ],
)
def test_day_and_weekday_follow_crons_rule(cron: str, days: list[int]) -> None:
    begin = ms(datetime(2026, 12, 31, 12, tzinfo=UTC))
    instants = (datetime.fromtimestamp(at / 1000, UTC) for at in after(schedule(cron=cron), begin))

    january = takewhile(lambda at: (at.year, at.month) == (2027, 1), instants)

    assert [at.day for at in january] == days
