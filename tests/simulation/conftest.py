"""One server a worker for all stories; each begins with an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.simulation.server import Server
from tests.simulation.world import AuditedStore


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def world(server: Server) -> AuditedStore:
    return AuditedStore(server)


@pytest.fixture
def worlds(server: Server) -> Callable[[int], AuditedStore]:
    return lambda flavour: AuditedStore(server, flavour)
