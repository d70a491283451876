"""A bug of ours in one queue's part of a drain."""

from __future__ import annotations

import pytest

from shared import Queue
from shared.store import Store, TurnReply, TurnRequest


def fail_on_queue(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have each turn of the queue of this name meet a bug: no input is known that leads to one."""
    turn = Store.turn

    async def fail(
        store: Store, queue: Queue, request: TurnRequest, *, within: float | None = None
    ) -> TurnReply:
        if queue.name == name:
            raise ZeroDivisionError("inner words")
        return await turn(store, queue, request, within=within)

    monkeypatch.setattr(Store, "turn", fail)
