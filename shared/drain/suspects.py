"""How suspects come to run: in child processes, several at a time and beside all other jobs.

A suspect that a function has died of in spite of that runs exclusively (exclusive.py), as all do
where no child process can be had.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..store import TurnReply
from .exclusive import ExclusiveHold
from .resources import DrainResources
from .slots import Slots


class ClaimPlan(NamedTuple):
    """What a turn may claim: `want` jobs of the `room` that there is. `exclusive`: the first may be
    a suspect that runs by itself; `isolated`: only suspects, each for a child process. `slots`: how
    many of each kind are taken for them."""

    room: int = 0
    want: int = 0
    exclusive: bool = False
    isolated: bool = False
    slots: Counter[Slots] = Counter()  # noqa: RUF012 - that of NOTHING, for which none is taken


NOTHING = ClaimPlan()


class Suspects:
    """The suspects of one consumer's queue, as its turns have told of them. `wait`: some wait.

    They are claimed only while the exclusive hold is held (`ExclusiveHold` says why), or for child
    processes.
    """

    def __init__(self, resources: DrainResources, slots: Sequence[Slots]) -> None:
        self._resources, self._slots = resources, slots
        self._hold = ExclusiveHold(resources.lock)
        self._may_wait, self.wait = True, False
        self._fruitless = self._runs_exclusively = False

    @property
    def _isolates(self) -> bool:
        """True if suspects are to be claimed for child processes."""
        return self._resources.isolates_suspects and not self._fruitless

    def plan(self, room: int, *, runs: bool, idle: bool) -> ClaimPlan:
        """What the next turn may claim, with room for so many jobs. Takes the slots for them.
        `runs`: jobs of this consumer run; `idle`: none does, and no outcome waits to be settled."""
        isolates = self._isolates
        exclusive = self._may_wait and not isolates
        if self._runs_exclusively or (exclusive and not idle and self._hold.prepare()):
            return NOTHING  # until the consumer is idle, so that one can run by itself
        room = min([room, *(kind.free for kind in self._slots)])
        slots = Counter({kind: kind.reserve(room) for kind in self._slots})
        if isolates and self.wait and room:
            children = self._resources.open_children()
            if children not in slots:
                slots[children] = children.reserve(room)
            if slots[children]:
                return ClaimPlan(room, slots[children], isolated=True, slots=slots)
        exclusive = exclusive and room > 0 and not runs and self._hold.try_acquire()
        return ClaimPlan(room, room, exclusive, slots=slots)

    def can_start(self, room: int) -> bool:
        """True if the next turn may claim some that wait, for the `room` that is left."""
        return self._isolates and room > 0 and self._resources.open_children().free > 0

    def learn(self, reply: TurnReply, plan: ClaimPlan) -> None:
        """Take over what the turn of this plan has told. The exclusive hold is released if no
        suspect needs it."""
        self._may_wait = self.wait = reply.suspects > 0
        if plan.isolated and not reply.claims and reply.reason == "more":
            self._fruitless = True  # the first of them must run exclusively
        claimed = plan.exclusive and any(claim.exclusive for claim in reply.claims)
        needed = self._runs_exclusively or claimed
        if not needed and (plan.exclusive or not reply.suspects):
            self._hold.release()

    def begin(self) -> None:
        """One begins to run exclusively."""
        self._runs_exclusively = True

    def end(self) -> None:
        """It has ended, or none is to run exclusively any more: others may run again."""
        self._runs_exclusively = False
        self._hold.release()

    async def wait_to_run(
        self, reply: TurnReply, interrupt: asyncio.Event, heartbeat: float, seconds: float
    ) -> bool:
        """Nothing of the consumer runs, and the turn has told of suspects: wait until one can run,
        if one is to. False if it can't: other jobs did not end within `seconds`."""
        only = reply.reason == "suspect"
        if self._isolates:
            if only:
                await self._resources.open_children().wait_free(heartbeat)
            return True
        if only or (reply.reason == "more" and self._hold.prepare()):
            return await self._hold.acquire(interrupt, seconds)
        return True
