"""Drains under faults, in virtual time: hours take moments and are the same each time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from shared.embedded.local import LocalRedis
from shared.testing import FakeClock
from tests.support.threads import run_threaded
from tests.support.world import World

T = TypeVar("T")
Tell = Callable[[Callable[[World], Coroutine[Any, Any, T]]], T]


@pytest.fixture
def tell(engine_kind: str, servers: Callable[[str], LocalRedis], clock: FakeClock) -> Tell[Any]:
    """Runs a story: a coroutine that is given a `World`."""

    def tell(story: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
        async def told() -> Any:
            async with World.open(engine_kind, servers, clock) as world:
                return await story(world)

        return run_threaded(told(), clock)

    return tell
