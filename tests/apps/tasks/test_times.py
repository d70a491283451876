"""A time that a user writes is one instant, also where clocks change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.tasks import Reminder, schedule_reminder
from functions.apps.tasks.commands import read_command
from functions.apps.tasks.times import instant_of
from shared.testing import FakeClock, embedded_store, run_job

from .conftest import ADA, update

BERLIN = "Europe/Berlin"
# Without a zone, as users write them.
WRITTEN = st.datetimes(*(dt.datetime.fromisoformat(f"{year}-01-01") for year in (1950, 2060)))
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC"]


def read_reminder(written: str, zone: str, sent: str) -> object:
    """What is asked for by a reminder that is sent at this instant."""
    message = update(f"/remind {written} Tea").model_dump(by_alias=True)
    message["message"]["date"] = int(dt.datetime.fromisoformat(sent).timestamp())
    changed = type(update("x")).model_validate(message)
    return read_command(changed, {ADA}, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("written", "zone", "sent", "at"),
    [
        # Skipped: at the instant of the change.
        ("2027-03-28 02:30", BERLIN, "2027-01-01T00:00Z", "2027-03-28T01:00Z"),
        ("2027-03-28 02:00", BERLIN, "2027-01-01T00:00Z", "2027-03-28T01:00Z"),
        ("2027-03-28 01:59", BERLIN, "2027-01-01T00:00Z", "2027-03-28T00:59Z"),
        ("2027-03-28 03:00", BERLIN, "2027-01-01T00:00Z", "2027-03-28T01:00Z"),
        ("2027-03-14 02:30", "America/New_York", "2027-01-01T00:00Z", "2027-03-14T07:00Z"),
        ("2027-10-03 02:15", "Australia/Lord_Howe", "2027-01-01T00:00Z", "2027-10-02T15:30Z"),
        ("2011-12-30 12:00", "Pacific/Apia", "2011-12-01T00:00Z", "2011-12-30T10:00Z"),
        # Shown twice: the first one to come.
        ("2026-10-25 02:30", BERLIN, "2026-10-25T00:10Z", "2026-10-25T00:30Z"),
        ("2026-10-25 02:30", BERLIN, "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        ("2026-10-25 02:30", BERLIN, "2026-10-25T01:10Z", "2026-10-25T01:30Z"),
        ("2026-10-25 02:10", BERLIN, "2026-10-25T00:50Z", "2026-10-25T01:10Z"),
        ("2026-10-25 03:00", BERLIN, "2026-10-25T01:59Z", "2026-10-25T02:00Z"),
    ],
)
def test_a_time_is_the_instant_that_its_user_means(
    written: str, zone: str, sent: str, at: str
) -> None:
    reminder = read_reminder(written, zone, sent)

    assert isinstance(reminder, Reminder)
    assert reminder.at == dt.datetime.fromisoformat(at)
    assert reminder.at.tzinfo == dt.UTC


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-10-25 02:30", "2026-10-25T01:30Z"),
        ("2026-10-25 02:50", "2026-10-25T01:55Z"),
        ("2027-03-28 02:30", "2027-03-28T01:00Z"),
    ],
)
def test_a_time_that_has_passed_each_time_is_over(written: str, sent: str) -> None:
    assert f"{written} is over" in str(read_reminder(written, BERLIN, sent))


@pytest.mark.parametrize(
    ("written", "zone"),
    [("9999-12-31 23:59", "America/New_York"), ("0001-01-01 00:30", BERLIN)],
)
def test_a_time_without_a_date_in_utc_is_refused(written: str, zone: str) -> None:
    assert f"{written[:10]} is too far away" in str(
        read_reminder(written, zone, "2027-01-01T00:00Z")
    )


@given(
    WRITTEN,
    st.sampled_from(ZONES),
    WRITTEN,
)
def test_an_instant_shows_the_time_that_is_written(
    written: dt.datetime, name: str, sent: dt.datetime
) -> None:
    zone = ZoneInfo(name)

    at = instant_of(written, zone, sent.replace(tzinfo=dt.UTC))

    shown = at.astimezone(zone).replace(tzinfo=None)
    second = dt.timedelta(seconds=1)
    before = (at - second).astimezone(zone).replace(tzinfo=None)
    assert shown == written or before < written < shown


@pytest.mark.parametrize("at", ["2027-03-28T02:30:00+01:00", "2026-12-25T01:30:00Z"])
async def test_a_reminder_of_any_offset_is_set(at: str, outside: object) -> None:
    now = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    clock = FakeClock.at(now)
    payload = Reminder.model_validate({"user_id": ADA, "text": "Tea", "at": at})

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, schedule_reminder, payload, clock=clock)

    assert view.state == "completed"
    assert view.history["result"] == {"at": payload.at.isoformat()}
