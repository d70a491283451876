"""The steps of a run of the archiver: each message to Redis or Postgres, and each reply."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from shared.store.client.rest import Rest


@contextmanager
def stopping(at: int, stop: Callable[[], None]) -> Iterator[list[int]]:
    """Call `stop` at the step of this number. Yields a list of all steps so far."""
    steps: list[int] = []

    def step() -> None:
        steps.append(len(steps) + 1)
        if len(steps) == at:
            stop()

    wait, post = psycopg.AsyncConnection.wait, Rest.send

    async def counted_wait(
        self: psycopg.AsyncConnection[Any], gen: Generator[Any, Any, Any], *args: Any, **kw: Any
    ) -> Any:
        step()
        answer = await wait(self, gen, *args, **kw)
        step()
        return answer

    async def counted_send(self: Rest, *args: Any, **kw: Any) -> Any:
        step()
        answer = await post(self, *args, **kw)
        step()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "wait", counted_wait)
        patch.setattr(Rest, "send", counted_send)
        yield steps
