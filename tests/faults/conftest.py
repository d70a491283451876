"""Drains under faults, in virtual time: hours take moments and are the same each time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from shared.testing import FakeClock
from tests.support.servers import Servers, empty_engine
from tests.support.threads import run_threaded
from tests.support.world import World

T = TypeVar("T")
Play = Callable[[Callable[[World], Coroutine[Any, Any, T]]], T]


@pytest.fixture
def play(engine_kind: str, servers: Servers, clock: FakeClock) -> Play[Any]:
    """Runs a story, a coroutine of one `World`, in virtual time."""

    def play(story: Callable[[World], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            async with empty_engine(engine_kind, servers) as engine, World(engine, clock) as world:
                return await story(world)

        return run_threaded(main(), clock)

    return play
