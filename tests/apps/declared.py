"""The numbers of a declared queue, as the tables of requirements write them."""

from __future__ import annotations

from dataclasses import dataclass

from shared import Queue, Retention


@dataclass(frozen=True)
class QueueRequirement:
    """What a document demands of one queue. `limit`: (jobs, seconds). `waits`: seconds after each
    failure but the last. `completed` and `dead`: (count, age in seconds)."""

    concurrency: int
    waits: tuple[float, ...]
    limit: tuple[int, float] | None = None
    priority: str = "normal"
    timeout: float | None = None
    completed: tuple[int, float] | None = None
    dead: tuple[int, float] | None = None

    def check(self, queue: Queue) -> None:
        """Assert that the queue is declared so. Jitter makes waits longer or shorter by chance; a
        document that names waits means these."""
        attempts = len(self.waits) + 1
        waits = [queue.retry.delay_after(n, lambda: 0.0) for n in range(1, attempts)]
        assert queue.retry.attempts == attempts
        assert tuple(waits) == self.waits
        assert queue.concurrency == self.concurrency
        assert (queue.limit and (queue.limit.rate, queue.limit.per)) == self.limit
        assert queue.priority == self.priority
        if self.timeout is not None:
            assert queue.timeout == self.timeout
        for kept, required in ((queue.completed, self.completed), (queue.dead, self.dead)):
            if required is not None:
                assert kept == Retention(count=required[0], age=required[1])
