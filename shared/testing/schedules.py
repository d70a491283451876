"""Schedules in tests: the instants that a declaration means, and ticks on a fake clock."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

from ..checks import check_type, require
from ..clock import utc
from ..declare.app import App, Registry
from ..declare.schedule import Schedule
from ..drain.budget import Budget
from ..drain.drain import Drain
from ..drain.report import Report
from ..schedules.occurrences import after
from ..store import Store
from .arguments import check_apps, check_clock
from .clock import FakeClock, epoch_ms
from .runner import WINDOW


def occurrences(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    """The planned instants from `begin` to `end`, both included, in the time zone of the schedule.
    Needs no store. Raises ValueError where `begin` or `end` has no time zone."""
    check_type(schedule, Schedule, "occurrences: schedule")
    first, last = epoch_ms(begin), epoch_ms(end)
    zone = ZoneInfo(schedule.timezone)
    return [
        utc(instant).astimezone(zone)
        for instant in takewhile(lambda instant: instant <= last, after(schedule, first - 1))
    ]


async def tick(store: Store, *apps: App, clock: FakeClock) -> Report:
    """What the cron of a deployment does: enqueue the jobs of the schedules that are due, and drain
    the queues of these applications. The first tick enters their schedules, which begin with their
    next occurrence; it fires none. `clock`: the store's. Raises ConfigurationError where these do
    not fit together, and without an application."""
    check_clock("tick", clock, store)
    require(bool(apps), "tick: name the applications to drain: tick(store, app, clock=clock)")
    registry = Registry(check_apps("tick", apps))
    return await Drain(store, registry, Budget.of(WINDOW, clock=clock)).tick()
