"""Cron expressions: which can be read and are due some day, and what is wrong with the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST = 200
"""Characters of an expression."""
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {
    "day": ("L LW", "L (the last day) and LW (the last weekday)"),
    "month": ("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", "JAN to DEC"),
    "weekday": ("SUN MON TUE WED THU FRI SAT L", "SUN to SAT"),
}
_NO_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")
"""Names and folders of the time zone database that mean another zone on each host, or no civil
time."""
_OCCURRENCES = 10
"""Enough to meet the shortest distance of usual expressions."""


def cron_fault(expression: str) -> str | None:
    """Why the expression has no occurrence, in words; None where it has one."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only schedules need it

    fault = _fault(expression)
    if fault is not None:
        return fault
    try:
        return None if next(CronSim(expression, datetime.now(UTC)), None) else "it is never due"
    except CronSimError as error:
        return f"it can't be read, or is never due ({error})"


def shortest_distance(expression: str) -> timedelta:
    """The shortest time between occurrences that follow each other, of the next ten."""
    from cronsim import CronSim  # noqa: PLC0415 - as above

    coming = islice(CronSim(expression, datetime.now(UTC)), _OCCURRENCES)
    return min((later - earlier for earlier, later in pairwise(coming)), default=timedelta.max)


def average_distance(expression: str) -> timedelta:
    """The time between two occurrences, on average over the next ten."""
    from cronsim import CronSim  # noqa: PLC0415 - as above

    coming = list(islice(CronSim(expression, datetime.now(UTC)), _OCCURRENCES))
    return (coming[-1] - coming[0]) / (len(coming) - 1) if len(coming) > 1 else timedelta.max


def is_zone(name: str) -> bool:
    """True for the name of a time zone that is the same on every host."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - as above

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return not name.startswith(_NO_ZONES)


def _fault(expression: str) -> str | None:
    fields = expression.upper().split()
    if expression == "@reboot":
        return "functions have no start of a machine; enqueue a job when you deploy"
    if expression.startswith("@"):
        return "there is no such name"
    if len(expression) > LONGEST:
        return f"it has more than {LONGEST} characters"
    if len(fields) in (6, 7):
        return f"it has {len(fields)} fields; leave out seconds and years (or declare every=30)"
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields"
    parts = [(_FIELDS[at], part) for at, text in enumerate(fields) for part in text.split(",")]
    faults = (
        f"{field[0]} {part!r}: {fault}" for field, part in parts for fault in _faults(*field, part)
    )
    return next(faults, None)


def _faults(field: str, low: int, high: int, part: str) -> Iterator[str]:
    """What is wrong with one part of a field that has numbers from `low` to `high`."""
    if not part or re.search(r"[^0-9A-Z*/#-]", part):
        yield "write numbers, '*', '1-5', '*/5' or '1,15'"
        return
    base, slash, step = part.partition("/")
    if slash and not (step.isdigit() and 1 <= int(step) <= high):
        yield f"a step is 1 to {high}"
    known, names = _NAMES.get(field, ("", ""))
    if not set(re.findall(r"[A-Z]+", base)) <= set(known.split()):
        yield f"names there are {names}" if known else f"numbers only, {low} to {high}"
    numbers = [int(number) for number in re.findall(r"[0-9]+", base.partition("#")[0])]
    if not all(low <= number <= high for number in numbers):
        yield f"choose {low} to {high}"
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        yield "the range ends before it begins; write two, such as '22-23,0-2'"
