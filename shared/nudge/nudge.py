"""A nudge: a way to have a drain started elsewhere. One file for each way; `choose.py` selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Nudge(Protocol):
    """A way to call the drain function."""

    async def call(self, queues: Sequence[str], hops: int) -> None:
        """Have a drain of these queues started; returns when it has been asked for, and does not
        wait for it. `hops`: how many drains have called one another before it. Raises any error."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class NudgeRefused(Exception):
    """The drain function answered that it does not start. Carries no secret."""
