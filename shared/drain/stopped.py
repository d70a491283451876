"""Finds queues whose agenda entries were written while the store's clock ran ahead, so that no turn
would come before that time; and queues without an entry, whose jobs may have ended in that time.

A queue whose next job is delayed by days has such an entry, too. What tells them apart is the
newest time that its turns have seen. It is read only where this process has seen the clock go back:
to look in each process would cost idle queues a command. Where no process lived to see it, a queue
gets a turn with its next enqueue, or when the clock gets to its entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from ..store import Store, keys
from ..store.sweeps import HOUR

MOST = 50
"""Queues a sweep looks at, a command each."""
NO_ENTRY = 0.0
"""Stands for the entry of a queue that has none."""


async def find_stopped(
    store: Store, queues: Collection[str], agenda: dict[str, float], now: float
) -> list[str]:
    """Those of these queues whose last turn saw a clock that was ahead by more than an hour, and
    that have no turn before they get there."""
    sweeps = store.sweeps
    if not sweeps.went_back:
        return []
    far = [
        name
        for name in queues
        if (name not in agenda or now + HOUR < agenda[name] < keys.NEVER)
        and sweeps.sound.get(name) != agenda.get(name, NO_ENTRY)
    ]
    page = far[:MOST]
    clocks = await asyncio.gather(*map(store.latest_turn, page))
    # A sweep of some queues, and one that the store failed, leave the rest to the next.
    sweeps.went_back = len(far) > MOST or not sweeps.queues.issubset(queues)
    sweeps.sound |= {
        name: agenda.get(name, NO_ENTRY)
        for name, at in zip(page, clocks, strict=True)
        if at <= now + HOUR
    }
    return [name for name, at in zip(page, clocks, strict=True) if at > now + HOUR]
