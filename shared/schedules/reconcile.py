"""The agenda's entries of schedules, brought in line with what the code declares.

While a deployment is under way, functions of two versions compare the same agenda with two
declarations. So what another version may have declared stays until it has not been fired for a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..declare.schedule import Schedule
from ..store import Store
from ..store.schedules import failing_of
from .occurrences import first_after

OVERDUE_MS = 86_400_000
"""How long an undeclared entry is overdue before it goes. A function that declares it would have
moved it on; a deployment, or its reversal, takes no longer than a day."""

NEAR_MS = 3_600_000
"""Entries that are nearer are left as they are: a clock that was ahead holds them up for no longer,
and only what is farther off costs the look at its times."""


async def reconcile(
    store: Store, schedules: Sequence[Schedule], apps: Sequence[str], agenda: Mapping[str, float],
    now: int,
) -> None:  # fmt: skip
    """Add entries of new schedules, and remove those of `apps` that no version declares any more. A
    schedule with other times is both. Costs no command if nothing changed.

    A new entry begins with the first occurrence after `now`. One that stands later than that one,
    because the store's clock was ahead for a time, is lowered to it: an occurrence that has run is
    known by its id.
    """
    declared = {schedule.entry: schedule for schedule in schedules}
    new = {
        entry: first_after(schedule, now)
        for entry, schedule in declared.items()
        if entry not in agenda
    }
    ours = tuple(f"@{app}/" for app in apps)
    gone = [
        entry
        for entry, planned in agenda.items()
        if entry.startswith(ours) and entry not in declared and planned < now - OVERDUE_MS
    ]
    ahead = _ahead(declared, agenda, now)
    await store.schedules.add(new)
    await store.schedules.lower(ahead)
    marks = [failing_of(entry) for entry in ahead if failing_of(entry) in agenda]
    await store.schedules.remove([*gone, *marks])


def _ahead(
    declared: Mapping[str, Schedule], agenda: Mapping[str, float], now: int
) -> dict[str, int]:
    """The entries that stand later than the next occurrence, with the instants of those."""
    ahead = dict[str, int]()
    for entry, schedule in declared.items():
        if agenda.get(entry, 0) > now + NEAR_MS and schedule.pause not in agenda:
            latest = first_after(schedule, now + NEAR_MS)
            if agenda[entry] > latest:
                ahead[entry] = first_after(schedule, now)
    return ahead
