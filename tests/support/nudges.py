"""Nudges that a test sees."""

from __future__ import annotations

from collections.abc import Sequence

from shared.nudge.sender import NudgeSender
from shared.store import Store


class SeenNudges:
    """A way to call drains that only records: (queues, hops). `error`: raised by each call."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[list[str], int]] = []
        self._error = error

    async def call(self, queues: Sequence[str], hops: int) -> None:
        self.calls.append((list(queues), hops))
        if self._error:
            raise self._error

    async def close(self) -> None:
        """Nothing is open."""

    def on(self, store: Store, window: float = 1.0) -> Store:
        """The same store, whose enqueues send their nudges here."""
        store.nudges = NudgeSender(self, window)
        return store
