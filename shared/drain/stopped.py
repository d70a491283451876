"""Queues that stand still since the store's clock was ahead for a time and went back: their entries
in the agenda are instants of that clock, so no turn comes that could bring back what it timed.

A queue whose next job is delayed by days has such an entry, too. What tells them apart is the
newest time that its turns have seen. It is read where this process has seen the clock go back, and
by each thirteenth sweep, since most processes have not; once an entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..store import Store, keys
from ..store.sweeps import HOUR

SLOT, SLOTS = 300_000, 13
"""Each process looks in one of 13 slots of five minutes. 13 divides neither an hour nor a day: so
ticks of any rhythm meet it."""
MOST = 50
"""Queues a sweep looks at, a command each."""


async def find_stopped(
    store: Store, queues: Iterable[str], agenda: dict[str, float], now: float
) -> list[str]:
    """Those of these queues whose entries a clock wrote that was ahead by more than an hour."""
    sweeps, slot = store.sweeps, int(now // SLOT)
    if not sweeps.went_back and slot % SLOTS:
        return []
    far = [
        name
        for name in queues
        if now + HOUR < agenda.get(name, 0) < keys.NEVER and sweeps.sound.get(name) != agenda[name]
    ]
    sweeps.went_back = sweeps.went_back and len(far) > MOST
    first = slot // SLOTS * MOST % max(1, len(far))  # processes that have just begun share them out
    page = [*far[first:], *far[:first]][:MOST]
    clocks = await asyncio.gather(*map(store.latest_turn, page))
    sweeps.sound |= {
        name: agenda[name] for name, at in zip(page, clocks, strict=True) if at <= now + HOUR
    }
    return [name for name, at in zip(page, clocks, strict=True) if at > now + HOUR]
