"""The instants of a schedule, and which of those that have passed still run. Pure functions.

Cron expressions follow Debian's cron when clocks change: a job at a fixed time that a change skips
runs at the first instant after it, and one that a change repeats runs once; jobs of each hour or
minute run by the time that passes. Instants are whole milliseconds of Unix time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from ..declare.schedule import Schedule

MOST_AT_ONCE = 100
"""Occurrences of one schedule that one tick enqueues. The next tick goes on."""
LATE = 120.0
"""Seconds after which an occurrence counts as missed where `within` does not say: ticks come each
minute, and some come late."""
STEPS_BACK, TIME_BACK = 3, timedelta(hours=3)
"""Where the search for the last occurrence begins: before any change of clocks that is near."""


class Due(NamedTuple):
    """The planned instants whose jobs are to be enqueued, and the schedule's next entry."""

    instants: list[int]
    following: int


def due(schedule: Schedule, planned: int, now: int) -> Due:
    """What becomes of a schedule whose entry, `planned`, has come by `now`."""
    longest = schedule.within
    if schedule.missed == "skip" and longest is None:
        longest = LATE
    oldest = planned if longest is None else max(planned, now - round(longest * 1000))
    if schedule.missed == "all":
        instants = list(islice(_between(schedule, oldest, now), MOST_AT_ONCE))
    else:
        last = last_until(schedule, now)
        instants = [last] if last is not None and last >= oldest else []
    return Due(instants, first_after(schedule, _last_done(instants, now)))


def _last_done(instants: list[int], now: int) -> int:
    return instants[-1] if len(instants) == MOST_AT_ONCE else now


def first_after(schedule: Schedule, instant: int) -> int:
    """The first occurrence after `instant`."""
    return next(after(schedule, instant))


def after(schedule: Schedule, instant: int) -> Iterator[int]:
    """The occurrences after `instant`, in order, without end."""
    if schedule.every is not None:
        step = round(schedule.every * 1000)
        number = instant // step
        while True:
            number += 1
            yield number * step
    for at in _cron(schedule, _local(schedule, instant)):
        if _ms(at) > instant:
            yield _ms(at)


def last_until(schedule: Schedule, instant: int) -> int | None:
    """The last occurrence not after `instant`; None where there was none in fifty years."""
    if schedule.every is not None:
        step = round(schedule.every * 1000)
        return instant // step * step
    back = list(islice(_cron(schedule, _local(schedule, instant), reverse=True), STEPS_BACK))
    if not back:
        return None
    start = _ms(back[-1] - TIME_BACK)
    # Forward again: only one direction decides what a change of clocks does.
    return max(takewhile(lambda at: at <= instant, after(schedule, start)), default=None)


def _between(schedule: Schedule, oldest: int, now: int) -> Iterator[int]:
    return takewhile(lambda at: at <= now, after(schedule, oldest - 1))


def _cron(schedule: Schedule, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    from cronsim import CronSim  # noqa: PLC0415 - only due schedules need it

    return CronSim(schedule.expression, start, reverse=reverse)


def _local(schedule: Schedule, instant: int) -> datetime:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - as above

    return datetime.fromtimestamp(instant / 1000, ZoneInfo(schedule.timezone))


def _ms(at: datetime) -> int:
    return math.floor(at.astimezone(UTC).timestamp()) * 1000
