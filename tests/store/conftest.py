"""The verbs are proved on every server that can be had: Valkey, Redis 7, GopherLua, fakeredis."""

from __future__ import annotations

import pytest

from tests.support.servers import kinds


@pytest.fixture(params=kinds())
def engine_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind
