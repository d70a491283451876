"""Waiting that something else can end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or so many seconds have passed on the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


async def unless(
    event: asyncio.Event, awaited: Coroutine[Any, Any, None], seconds: float | None = None
) -> bool:
    """Await something unless the event is set before, or so many seconds have passed; was it
    done?"""
    doing = asyncio.ensure_future(awaited)
    waking = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({doing, waking}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return doing.done()
    finally:
        doing.cancel()
        waking.cancel()
