"""The instants that users mean by the times they write."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left

_SECOND = dt.timedelta(seconds=1)


def instant_of(written: dt.datetime, zone: dt.tzinfo, now: dt.datetime) -> dt.datetime:
    """The instant of a time of this zone, in UTC.

    A time that the clocks show twice is the first one after `now`. One that they skip is the
    instant at which they skip it, as in a schedule. Raises OverflowError where UTC has no date
    for it.
    """
    first, second = sorted(
        written.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)
    )
    if first != second and first.astimezone(zone).replace(tzinfo=None) != written:
        return _change_between(first, second, zone)
    return second if first <= now else first


def _change_between(before: dt.datetime, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """The instant at which the zone's clocks change."""

    def is_changed(seconds: int) -> bool:
        at = before + seconds * _SECOND
        return at.astimezone(zone).utcoffset() != before.astimezone(zone).utcoffset()

    until = range((after - before) // _SECOND)
    return before + bisect_left(until, True, key=is_changed) * _SECOND
