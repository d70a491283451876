"""How suspects come to run: in child processes, several at a time and beside all other jobs.

A suspect that a function has died of in spite of that runs exclusively (exclusive.py), as all do
where no child process can be had.
"""

from __future__ import annotations

from collections import Counter

from ..store import TurnReply
from .pool import Pool
from .resources import DrainResources
from .slots import Slots


class Suspects:
    """The suspects of one consumer's queue, as its turns have told of them."""

    def __init__(self, pool: Pool, resources: DrainResources) -> None:
        self._pool, self._resources = pool, resources
        self._may_wait, self._wait = True, False
        self._fruitless = False

    @property
    def are_isolated(self) -> bool:
        """True if suspects are to be claimed for child processes."""
        return self._resources.isolates_suspects and not self._fruitless

    @property
    def are_exclusive(self) -> bool:
        """True if suspects may wait, and the first of them is to run exclusively."""
        return self._may_wait and not self.are_isolated

    def must_wait_idle(self) -> bool:
        """True if nothing more is to be claimed until the consumer is idle, so that one can run."""
        return self.are_exclusive and not self._pool.is_idle and self._pool.hold.prepare()

    def try_exclusive(self) -> bool:
        """Whether the next turn may claim a suspect that runs exclusively. It then has the hold."""
        return self.are_exclusive and not self._pool and self._pool.hold.try_acquire()

    def reserve(self, room: int, reserved: Counter[Slots | None]) -> int:
        """How many suspects the next turn may claim for child processes, with the slots for them
        among the reserved ones. 0: it claims other jobs."""
        if not (self.are_isolated and self._wait and room):
            return 0
        children = self._resources.open_children()
        if children not in reserved:
            reserved[children] = children.reserve(room)
        return reserved[children]

    def can_start(self, room: int) -> bool:
        """True if suspects wait, and the next turn may claim some for the `room` that is left."""
        wait = self.are_isolated and self._wait and room > 0
        return wait and self._resources.open_children().free > 0

    def learn(self, reply: TurnReply, *, isolated: bool, exclusive: bool) -> None:
        """Take over what a turn of this kind has told. The exclusive hold is released if no suspect
        needs it."""
        self._may_wait = self._wait = reply.suspects > 0
        if isolated and not reply.claims and reply.reason == "more":
            self._fruitless = True  # the first of them must run exclusively
        claimed = exclusive and any(claim.exclusive for claim in reply.claims)
        if not (self._pool.exclusive or claimed) and (exclusive or not reply.suspects):
            self._pool.hold.release()

    async def wait(self, reply: TurnReply, heartbeat: float, seconds: float) -> bool:
        """Nothing of the consumer runs: wait until a suspect can run, if one is to. False if it
        can't: other jobs did not end within `seconds`."""
        only = reply.reason == "suspect"
        if self.are_isolated:
            if only:
                await self._resources.open_children().wait_free(heartbeat)
            return True
        hold = self._pool.hold
        if only or (reply.reason == "more" and reply.suspects and hold.prepare()):
            return await hold.acquire(self._pool.changed, seconds)
        return True
