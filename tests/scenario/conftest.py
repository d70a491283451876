"""One deployment per test: the embedded store, three queues, and a client for each role."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from starlette.applications import Starlette

from shared.embedded.engine import Engine
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.world import TOKENS, Client, World, application


@pytest.fixture
def clock() -> FakeClock:
    """A clock that starts today, because ids carry the machine's time and ages compare the two."""
    return FakeClock(time.time_ns() // 1_000_000)


@pytest.fixture
async def world(engine: Engine, clock: FakeClock) -> AsyncIterator[World]:
    async with World(engine, clock) as opened:
        yield opened


@pytest.fixture
def app(world: World, store: Store, clock: FakeClock) -> Starlette:
    return application(world, store, clock)


@pytest.fixture
async def as_role(app: Starlette) -> AsyncIterator[Callable[[str | None], Client]]:
    """A client with this role's token; None: without any."""
    async with AsyncExitStack() as stack:

        def client(role: str | None) -> Client:
            opened = Client(app, None if role is None else TOKENS[role])
            stack.push_async_callback(opened.aclose)
            return opened

        yield client


@pytest.fixture
def api(as_role: Callable[[str | None], Client]) -> Client:
    """A client that may do everything."""
    return as_role("admin")
