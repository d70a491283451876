"""Fixtures of every room: servers (one of each kind a worker), a clock, a world.

`engine_kind` says which server a test runs on: the best one here, unless its room overrides it
(tests/store runs on all of them). Every test begins with an empty server.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from shared import App, Queue
from shared.embedded.engine import Engine
from shared.embedded.protocol import UpstashProtocol
from shared.store import Store
from shared.testing import FakeClock
from tests.gopher import build
from tests.support.postgres import empty_database, postgres_server
from tests.support.probe import Probe
from tests.support.servers import (
    GOPHERLUA,
    LocalServer,
    Servers,
    empty_engine,
    kinds,
    local_server,
)
from tests.support.values import Declare
from tests.support.world import World

settings.register_profile("quick", max_examples=80, deadline=None)
settings.load_profile("quick")


def pytest_report_header() -> list[str]:
    """Says once that an engine is left out."""
    problem = build.problem()
    return [f"without engine {GOPHERLUA}: {problem}"] if problem else []


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Kind -> its server, started at its first use and stopped at the end."""
    started: dict[str, LocalServer] = {}

    def server(kind: str) -> LocalServer:
        if kind not in started:
            started[kind] = local_server(kind)
            started[kind].ensure()
        return started[kind]

    yield server
    for local in started.values():
        local.close()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A deployment configures the "tidegate" loggers of its process: a test leaves no trace."""
    logger = logging.getLogger("tidegate")
    before = logger.level, logger.propagate, [*logger.handlers], [*logger.filters]
    yield
    logger.level, logger.propagate, logger.handlers[:], logger.filters[:] = before


@pytest.fixture
def engine_kind() -> str:
    """The server a test runs on: the best one of this machine."""
    return kinds()[0]


@pytest.fixture
async def engine(engine_kind: str, servers: Servers) -> AsyncIterator[Engine]:
    """An empty server. `execute` speaks to it past all guards and meters."""
    async with empty_engine(engine_kind, servers) as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    """The time of the store, of budgets and of clients."""
    return FakeClock()


@pytest.fixture
async def world(engine: Engine, clock: FakeClock) -> AsyncIterator[World]:
    """A deployment on that server and clock. `job_type.enqueue(...)` uses its store."""
    async with World(engine, clock) as opened:
        yield opened


@pytest.fixture
def protocol(world: World) -> UpstashProtocol:
    """The embedded store of the world, under the strict guard; its meter has the bill."""
    return world.protocol


@pytest.fixture
def store(world: World) -> Store:
    """The world's client of the store. More of them: `world.client(...)`."""
    return world.store


@pytest.fixture
def probe(world: World) -> Probe:
    """Reads and writes a queue's keys behind the store's back."""
    return world.probe


@pytest.fixture
def declare() -> Declare:
    """A queue of an application of its own: `declare(concurrency=3, limit=RateLimit(5))`."""

    def queue(name: str = "q", **options: Any) -> Queue:
        return App("tests").queue(name, **options)

    return queue


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a Postgres server."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    """The URL of an empty database."""
    with empty_database(postgres) as url:
        yield url


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where an application's tables are: in a file, or in an empty database of Postgres."""
    if request.param == "file":
        monkeypatch.delenv("DATABASE_URL", raising=False)
    else:
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("empty_postgres"))
    return str(request.param)
