"""A deployment with an archive: a queue whose jobs die, a store, an empty Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.archive import connection
from shared.store import Store
from shared.testing import FakeClock
from tests.archive.world import World


@pytest.fixture(autouse=True)
def no_database_is_known() -> Iterator[None]:
    """A process remembers which databases are migrated: each test has one of its own."""
    connection._ready.clear()
    yield
    connection._ready.clear()


@pytest.fixture
def dying(store: Store, clock: FakeClock, empty_postgres: str) -> World:
    return World(store, clock, empty_postgres)
