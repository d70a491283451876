"""A bug of ours in one queue's part of a drain."""

from __future__ import annotations

from typing import Any

import pytest

from shared.drain.consumer import Consumer


def fail_on_queue(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have each consumer of the queue of this name meet a bug."""
    claim = Consumer._claim  # noqa: SLF001 - no input is known that leads to a bug

    async def fail(consumer: Consumer, plan: Any) -> Any:
        if consumer.report.queue == name:
            raise ZeroDivisionError("inner words")
        return await claim(consumer, plan)

    monkeypatch.setattr(Consumer, "_claim", fail)
