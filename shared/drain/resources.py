"""What the consumers of one drain share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..declare.app import Registry
from ..declare.queue import Queue
from ..jobs.outcome import Outcome
from ..store import Store
from .budget import Budget
from .exclusive import SharedExclusiveLock
from .execute import execute
from .keeper import Keeper, Watched
from .run import Run
from .slots import Slots
from .threads import HandlerThreads
from .timeouts import Timeouts

if TYPE_CHECKING:
    from .isolated import Children


@dataclass(frozen=True, slots=True)
class DrainResources:
    """What the consumers of one drain share. `batch`: most jobs a consumer runs at a time;
    `patience`: seconds an idle consumer waits for a token or a delayed job before it ends."""

    lock: SharedExclusiveLock
    threads: HandlerThreads
    timeouts: Timeouts
    batch: int
    patience: float
    keeper: Keeper | None = None
    children: Children | None = None

    def slots(self, queue: Queue) -> list[Slots]:
        """The slots that jobs of this queue need, one of a kind."""
        needed: list[Slots] = [self.threads] if queue.needs_threads else []
        return [*needed, self.children] if self.children and queue.needs_children else needed

    def slots_of(self, run: Run) -> Slots | None:
        """The slots of which this job needs one."""
        if run.is_isolated:
            return self.children
        return self.threads if run.needs_thread else None

    async def execute(self, run: Run, budget: Budget) -> Outcome:
        """The job's outcome, in this process or in a child."""
        if run.is_isolated and self.children is not None:
            return await self.children.execute(run)
        return await execute(run, budget, self.threads, self.timeouts)

    def interrupt(self) -> None:
        """End the waits for slots that are under way."""
        self.threads.interrupt()
        if self.children is not None:
            self.children.interrupt()

    def keep(self, watched: Watched) -> None:
        """Prolong these leases if a handler blocks the event loop."""
        if self.keeper is not None:
            self.keeper.watch(watched)


def open_children(
    store: Store, registry: Registry, budget: Budget, queues: Iterable[Queue]
) -> Children | None:
    """The child processes of isolated jobs; None where none of these queues declares any."""
    if not any(queue.needs_children for queue in queues):
        return None
    from .isolated import Children  # noqa: PLC0415 - most applications have none

    return Children(store, budget, registry.references)
