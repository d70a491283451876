"""The places of a drain's consumers: which queues get one first, and which ones next."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias, TypeVar

from ..declare.queue import Queue
from ..jobs.job import PRIORITIES

T = TypeVar("T")
Due: TypeAlias = tuple[Queue, bool]
"""A queue to drain, and whether to recount it first."""

OPEN_CONSUMERS = 64
"""Most consumers open at a time. More would wait longer for connections than for the store."""
BY_TURN = 8
"""Places of these that queues get by turn, whatever their priority. Else as many busy queues as
there are places would hold up all less urgent ones for ever."""
Waiting: TypeAlias = asyncio.Future[bool]
"""Answers whether the place is one by turn."""


class Places:
    """The places of one round. `suspects`: the queues that come first whatever their priority; `by`
    differs from drain to drain: of more queues than have places, others begin each time."""

    def __init__(self, due: Sequence[Due], suspects: Collection[str], by: int) -> None:
        urgent = _by_urgency(due, suspects, by if len(due) > OPEN_CONSUMERS else 0)
        first, rest = urgent[: OPEN_CONSUMERS - BY_TURN], urgent[OPEN_CONSUMERS - BY_TURN :]
        turns = _rotated(rest, by) if len(due) > OPEN_CONSUMERS else rest
        begin = {queue.name for queue, _ in turns[:BY_TURN]}
        self.line = [*first, *turns[:BY_TURN], *(one for one in rest if one[0].name not in begin)]
        """The queues in the order in which they are to ask for a place."""
        self._turns = {queue.name: turn for turn, (queue, _) in enumerate(turns)}
        self._free = {False: OPEN_CONSUMERS - BY_TURN, True: BY_TURN}
        self._waiting = deque[Waiting]()
        self._waiting_by_turn: list[tuple[float, int, Waiting]] = []
        self._numbers = count()

    @asynccontextmanager
    async def place(self, queue: str) -> AsyncIterator[None]:
        """A place for a consumer of this queue, as soon as there is one. The first consumer of each
        queue gets one by turn too, those of its backlog last."""
        by_turn = await self._take(queue)
        try:
            yield
        finally:
            self._give_back(by_turn=by_turn)

    async def _take(self, queue: str) -> bool:
        turn = self._turns.pop(queue, math.inf)
        for by_turn in (False, True):
            if self._free[by_turn]:
                self._free[by_turn] -= 1
                return by_turn
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        heappush(self._waiting_by_turn, (turn, next(self._numbers), waiting))
        return await waiting

    def _give_back(self, *, by_turn: bool) -> None:
        while self._waiting and self._waiting_by_turn:
            following = heappop(self._waiting_by_turn)[2] if by_turn else self._waiting.popleft()
            if not following.done():  # it has a place from the other line, or was cancelled
                following.set_result(by_turn)
                return
        self._free[by_turn] += 1


def _by_urgency(due: Sequence[Due], suspects: Collection[str], by: int) -> list[Due]:
    """The most urgent first; among equals another one begins each time."""
    equals = defaultdict[tuple[bool, int], list[Due]](list)
    for one in due:
        queue = one[0]
        equals[queue.name not in suspects, PRIORITIES.index(queue.priority)].append(one)
    return [one for urgency in sorted(equals) for one in _rotated(equals[urgency], by)]


def _rotated(items: Sequence[T], by: int) -> list[T]:
    at = by % max(1, len(items))
    return [*items[at:], *items[:at]]
