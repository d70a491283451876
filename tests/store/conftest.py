"""The verbs are proved on every server that can be had: Valkey, Redis 7, GopherLua, fakeredis. On
the best one also with queues whose records are spread over three entries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partialmethod
from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

from shared import App
from shared.embedded.engine import Engine
from shared.testing import FakeClock
from tests.support.servers import GOPHERLUA, kinds
from tests.support.world import World


class Setting(NamedTuple):
    """A kind of server, and the shards of each queue that does not say how many."""

    kind: str
    shards: int = 1


ONE = [Setting(kind) for kind in kinds()]
SHARDED = [Setting(kinds()[0], 3)]
EACH_WRITE = [one for one in ONE if one.kind in (kinds()[0], GOPHERLUA)] + SHARDED


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked `one_shard` counts commands, or looks into one entry. One that is
    marked `each_write` has a case for each write of a script: it runs where servers may differ.
    One that is marked `best_server` moves megabytes, or has hundreds of cases."""
    if "setting" in metafunc.fixturenames:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        settings = EACH_WRITE if "each_write" in marks else ONE + SHARDED
        if "best_server" in marks:
            settings = [one for one in settings if one.kind == kinds()[0]]
        if "one_shard" in marks:
            settings = [one for one in settings if one.shards == 1]
        metafunc.parametrize("setting", [_parameter(one) for one in settings], indirect=True)


def _parameter(setting: Setting) -> ParameterSet:
    """GopherLua interprets: a minute is short for it while another test uses the other core."""
    name = setting.kind if setting.shards == 1 else f"{setting.kind}, {setting.shards} shards"
    patience = [pytest.mark.timeout(240)] if setting.kind == GOPHERLUA else []
    return pytest.param(setting, id=name, marks=patience)


@pytest.fixture
def setting(request: pytest.FixtureRequest) -> Setting:
    value: Setting = request.param
    return value


@pytest.fixture
def engine_kind(setting: Setting) -> str:
    return setting.kind


@pytest.fixture
async def world(
    setting: Setting, engine: Engine, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """A deployment whose queues have the setting's shards."""
    monkeypatch.setattr(App, "queue", partialmethod(App.queue, shards=setting.shards))
    async with World(engine, clock) as opened:
        opened.probe.shards = setting.shards
        yield opened
