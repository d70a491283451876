"""Child processes that are none: what a drain does around them, in virtual time."""

from __future__ import annotations

from shared.drain.budget import Budget
from shared.drain.execute import execute
from shared.drain.isolated import CHILDREN
from shared.drain.run import Run
from shared.drain.slots import Slots
from shared.drain.threads import HandlerThreads
from shared.drain.timeouts import Timeouts
from shared.jobs.outcome import Outcome


class ChildrenHere(Slots):
    """As many as there are of child processes, in this one: they start at once and never die. Made
    as `new_children` makes the others."""

    broken = False

    def __init__(self, _store: object, _registry: object, budget: Budget) -> None:
        super().__init__(CHILDREN)
        self._budget, self._threads = budget, HandlerThreads(1)

    async def execute(self, run: Run) -> Outcome:
        return await execute(run, self._budget, self._threads, Timeouts())

    async def close(self) -> None:
        self._threads.shutdown()
