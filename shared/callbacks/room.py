"""Room for callbacks under way. A receiver that does not answer holds each of its callbacks for ten
seconds; without a bound a drain would do nothing else, and its own work would wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address

from ..errors import Snooze

MOST, MOST_OF_QUEUE, MOST_OF_CALLER, MOST_OF_SITE = 32, 16, 8, 8
"""Callbacks under way in one process: in all, of one queue, of one caller (the token that enqueued
the job), and to one site. A caller may own any number of sites: its part of a queue is a half."""
WAITING = 8
"""Calls that may wait for each of those places. A later one would find none within WAIT, unless an
answer took less than a quarter of a second; and each one that waits holds a slot of its queue."""
WAIT = 2.0
"""Seconds for which a callback waits for room: receivers that answer make room much sooner."""
AGAIN = (20.0, 600.0)
"""Seconds, least and most, after which one that found none is tried again, at no attempt. It waits
for as long again as it has waited already, or up to twice that."""


class Share:
    """A bounded part of the room, and the calls that take it."""

    def __init__(self, most: int) -> None:
        self._most, self._places = most, asyncio.Semaphore(most)
        self._begun: dict[object, float] = {}
        self.users = 0

    @property
    def is_hopeless(self) -> bool:
        """True if it is full, and one more need not wait: too many wait already, or the oldest call
        has no answer for longer than WAIT."""
        if self.users > self._most * (1 + WAITING):
            return True
        if not self._places.locked() or not self._begun:
            return False
        return asyncio.get_running_loop().time() - next(iter(self._begun.values())) > WAIT

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of its places, for the block."""
        async with self._places:
            call = object()
            self._begun[call] = asyncio.get_running_loop().time()
            try:
                yield
            finally:
                del self._begun[call]


class Room:
    """The callbacks under way of one event loop. Shares without any are forgotten."""

    def __init__(self) -> None:
        self._shares: dict[str, Share] = {}

    @asynccontextmanager
    async def for_call(
        self, queue: str, host: str, *, caller: str = "", waited: float = 0.0
    ) -> AsyncIterator[None]:
        """Room for the call that the block is. Raises Snooze where there is none within WAIT, and
        at once where a wait would only hold a slot. `caller`: the stored token that enqueued the
        job, "" for any other way. `waited`: seconds since it was first put off."""
        # One that waits for its caller's or its site's part must hold no other's.
        bounds = {f"caller {caller}": MOST_OF_CALLER} if caller else {}
        bounds |= {f"site {site_of(host)}": MOST_OF_SITE, f"queue {queue}": MOST_OF_QUEUE, "": MOST}
        shares = [self._shares.setdefault(name, Share(most)) for name, most in bounds.items()]
        for share in shares:
            share.users += 1
        try:
            async with AsyncExitStack() as held:
                if any(share.is_hopeless for share in shares):
                    raise _put_off(waited)
                try:
                    async with asyncio.timeout(WAIT):
                        for share in shares:
                            await held.enter_async_context(share.place())
                except TimeoutError:
                    raise _put_off(waited) from None
                yield
        finally:
            for name, share in zip(bounds, shares, strict=True):
                share.users -= 1
                if not share.users:
                    del self._shares[name]


def site_of(host: str) -> str:
    """The last two labels of a name, under which one owner may have any number of names; an IP
    address as it is."""
    try:
        return str(ip_address(host))
    except ValueError:
        return ".".join(host.rstrip(".").split(".")[-2:])


def _put_off(waited: float) -> Snooze:
    least, most = AGAIN
    seconds = random.uniform(1, 2) * min(max(least, waited), most / 2)  # noqa: S311 - spread
    return Snooze(seconds, "many callbacks are under way, and their receivers are slow")


_ROOMS: dict[asyncio.AbstractEventLoop, Room] = {}


def room() -> Room:
    """That of the running event loop. Those of closed loops are dropped: each `asyncio.run` has a
    loop of its own."""
    loop = asyncio.get_running_loop()
    if loop not in _ROOMS:
        for closed in [one for one in list(_ROOMS) if one.is_closed()]:
            _ROOMS.pop(closed, None)
    return _ROOMS.setdefault(loop, Room())
