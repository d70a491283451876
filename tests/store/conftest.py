"""The verbs are proved on every server of this machine: Valkey, Redis 7, fakeredis."""

from __future__ import annotations

import pytest

from tests.support.servers import kinds


@pytest.fixture(params=kinds())
def engine_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind
