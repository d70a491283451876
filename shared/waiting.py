"""Waiting that something else can end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .clock import Clock


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or so many seconds have passed on the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


async def sleep_unless(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Sleep on the injected clock, unless the event is set before."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    waking = asyncio.ensure_future(event.wait())
    await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
    sleeping.cancel()
    waking.cancel()
