"""What the consumers of one drain share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..declare.app import Registry
from ..declare.queue import Queue
from ..encryption.keyring import Keyring
from ..jobs.outcome import Outcome
from ..store import Store
from .budget import Budget
from .exclusive import SharedExclusiveLock
from .execute import execute
from .keeper import Keeper, WatchedConsumer
from .run import Run
from .slots import Slots
from .threads import HandlerThreads
from .timeouts import Timeouts

if TYPE_CHECKING:
    from .isolated import Children

SYNC_THREADS = 32


@dataclass(slots=True)
class DrainResources:
    """What the consumers of one drain share. `batch`: most jobs a consumer runs at a time;
    `patience`: seconds an idle consumer waits for a token or a delayed job before it ends;
    `find_queue`: the queue of a follow-up by its name, raises UnknownQueue;
    `isolates_suspects`: suspects run in child processes; `tells_events`: turns write events;
    `children`: the child processes; None until a job needs one.
    """

    store: Store
    find_queue: Callable[[str], Queue]
    lock: SharedExclusiveLock
    batch: int
    patience: float
    keeper: Keeper | None
    new_children: Callable[[], Children]
    isolates_suspects: bool
    tells_events: bool
    threads: HandlerThreads = field(default_factory=partial(HandlerThreads, SYNC_THREADS))
    timeouts: Timeouts = field(default_factory=Timeouts)
    children: Children | None = None

    @property
    def keyring(self) -> Keyring:
        """The keys of encrypted jobs."""
        return self.store.keyring

    def open_children(self) -> Children:
        """The child processes of this drain's isolated jobs."""
        if self.children is None:
            self.children = self.new_children()
        return self.children

    def slots(self, queue: Queue) -> list[Slots]:
        """The slots that jobs of this queue need, one of a kind."""
        types = queue.types.values()
        needs_threads = any(job_type.needs_thread for job_type in types)
        needed: list[Slots] = [self.threads] if needs_threads else []
        needs_children = any(job_type.isolate is not None for job_type in types)
        return [*needed, self.open_children()] if needs_children else needed

    def slots_of(self, run: Run) -> Slots | None:
        """The slots of which this job needs one."""
        if run.is_isolated:
            return self.children
        return self.threads if run.needs_thread else None

    def release_slot(self, run: Run) -> None:
        """Give back the slot of a job that has ended; where its thread runs on, once that ends."""
        slots = self.slots_of(run)
        if slots is not None and run.thread is not None and run.thread_runs:
            run.thread.add_done_callback(lambda _thread: slots.release())
        elif slots is not None:
            slots.release()

    async def execute(self, run: Run, budget: Budget) -> Outcome:
        """The job's outcome, in this process or in a child."""
        if not run.is_isolated:
            return await execute(run, budget, self.threads, self.timeouts)
        children = self.open_children()
        outcome = await children.execute(run)
        self.isolates_suspects = self.isolates_suspects and not children.broken
        return outcome

    def interrupt(self) -> None:
        """End the waits for slots that are under way."""
        self.threads.interrupt()
        if self.children is not None:
            self.children.interrupt()

    async def close(self) -> None:
        """Nothing of a drain runs on when it has ended, but threads, which can't be killed."""
        self.threads.shutdown()
        if self.children is not None:
            await self.children.close()

    def keep(self, watched: WatchedConsumer) -> None:
        """Prolong these leases if a handler blocks the event loop."""
        if self.keeper is not None:
            self.keeper.watch(watched)


def new_children(store: Store, registry: Registry, budget: Budget) -> Children:
    """Child processes for a drain; none is started yet."""
    from .isolated import Children  # noqa: PLC0415 - most applications have none

    return Children(store, budget, registry.references)
