"""One server a worker for all stories; each begins with an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.simulation.server import Server
from tests.simulation.world import World


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def world(server: Server) -> World:
    return World(server)


@pytest.fixture
def worlds(server: Server) -> Callable[[int], World]:
    return lambda flavour: World(server, flavour)
