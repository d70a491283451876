"""Nudges on a developer's machine: the drain runs in the process that serves the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class InProcessNudge:
    """Calls a function that starts a drain and returns at once."""

    def __init__(self, start: Callable[[Sequence[str]], None]) -> None:
        self._start = start

    async def call(self, queues: Sequence[str], hops: int) -> None:  # noqa: ARG002 - bounded here by one drain a queue
        self._start(queues)

    async def close(self) -> None:
        return None
