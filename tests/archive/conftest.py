"""A deployment with an archive: two queues whose jobs die, a store, an empty Postgres."""

from __future__ import annotations

import pytest

from shared.store import Store
from shared.testing import FakeClock
from tests.archive.world import World


@pytest.fixture
def dying(store: Store, clock: FakeClock, empty_postgres: str) -> World:
    return World(store, clock, empty_postgres)
