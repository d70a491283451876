"""Waits that an event or a time limit can end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set or `seconds` have passed on the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


async def race(
    awaited: Coroutine[Any, Any, None], event: asyncio.Event, seconds: float | None = None
) -> bool:
    """Run `awaited` until it finishes, `event` is set or `seconds` pass. True if it finished."""
    task = asyncio.ensure_future(awaited)
    interrupt = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, interrupt}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        task.cancel()
        interrupt.cancel()
