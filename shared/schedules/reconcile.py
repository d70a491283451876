"""The agenda's entries of schedules, brought in line with what the code declares.

While a deployment is under way, functions of two versions compare the same agenda with two
declarations. So what another version may have declared stays until it has not been fired for a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..declare.schedule import Schedule
from ..store import Store
from .occurrences import first_after

OVERDUE_MS = 86_400_000
"""How long an undeclared entry is overdue before it goes. A function that declares it would have
moved it on; a deployment, or its reversal, takes no longer than a day."""


async def reconcile(
    store: Store, schedules: Sequence[Schedule], apps: Sequence[str], agenda: Mapping[str, float],
    now: int,
) -> None:  # fmt: skip
    """Add entries of new schedules, and remove those of `apps` that no version declares any more. A
    schedule with other times is both. Costs no command if nothing changed.

    A new entry begins with the first occurrence after `now`.
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
    await store.schedules.add(new)
    await store.schedules.remove(gone)
