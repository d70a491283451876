"""Scripts by hand: on GopherLua, and on the real server behind it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import hiredis
import pytest

from tests.simulation.server import connect, exchange
from tests.support.servers import GOPHERLUA, Servers, kinds

Run: TypeAlias = Callable[..., Any]


# The head of the report says why the engine is left out.
collect_ignore_glob = [] if GOPHERLUA in kinds() else ["test_*.py"]


@pytest.fixture
def engine_kind() -> str:
    return GOPHERLUA


def _commands(opened: socket.socket) -> Run:
    def command(*words: str | int | bytes) -> Any:
        """The reply; an error as its text, so that two servers compare."""
        try:
            return exchange(opened, *words)
        except hiredis.ReplyError as error:
            return f"error: {error}"

    return command


@pytest.fixture
def gopherlua(servers: Servers) -> Iterator[Run]:
    """A command on the server that runs scripts in GopherLua."""
    with connect(servers(GOPHERLUA).ensure()) as opened:
        exchange(opened, "FLUSHALL")
        yield _commands(opened)


@pytest.fixture
def real(servers: Servers) -> Iterator[Run]:
    """A command on a real server: Redis 7 where it is installed, whose words the Go server uses."""
    with connect(servers(_real_kind()).ensure()) as opened:
        exchange(opened, "FLUSHALL")
        yield _commands(opened)


@pytest.fixture
def same_words() -> bool:
    """False where the real server is a Valkey, which words its errors differently."""
    return _real_kind() == "redis"


def _real_kind() -> str:
    return "redis" if "redis" in kinds() else kinds()[0]
