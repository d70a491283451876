"""The agenda's entries of schedules, brought in line with what the code declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..declare.schedule import Schedule
from ..store import Store
from ..store.keys import NEVER
from .occurrences import first_after


async def reconcile(
    store: Store, schedules: Sequence[Schedule], apps: Sequence[str], agenda: Mapping[str, float],
    now: int,
) -> None:  # fmt: skip
    """Add entries of new schedules and remove those of `apps` that are declared no more. A schedule
    with other times is both, and stays paused if it was. Costs no command if nothing changed.

    A new entry begins with the first occurrence after `now`.
    """
    declared = {schedule.entry: schedule for schedule in schedules}
    ours = tuple(f"@{app}/" for app in apps)
    gone = [entry for entry in agenda if entry.startswith(ours) and entry not in declared]
    paused = {_key(entry) for entry in gone if agenda[entry] >= NEVER}
    new = {
        entry: int(NEVER) if schedule.key in paused else first_after(schedule, now)
        for entry, schedule in declared.items()
        if entry not in agenda
    }
    await store.schedules.add(new)  # first: a stop here leaves a schedule twice, not lost
    await store.schedules.remove(gone)


def _key(entry: str) -> str:
    return entry[1:].partition("#")[0]
