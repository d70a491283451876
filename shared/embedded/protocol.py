"""The Upstash REST protocol over an engine: routes, authentication, limits, formats.

It is as strict as Upstash wherever Upstash's behaviour is known, so that a program that works here
works there. It opens no sockets: `transport` and `server` carry its requests.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, auto
from functools import lru_cache
from time import time
from urllib.parse import parse_qsl

from .dispatch import Dispatcher
from .engine import Engine, EngineError, Reply
from .entries import Entries
from .limits import Limits, too_large
from .meter import ServerMeter
from .refusals import missing_route
from .reply import dump, item, resp2
from .request import MalformedRequest, many_commands, number, one_command
from .scripts import Scripts


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; header names are in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class UpstashProtocol:
    """The server side of Upstash's REST API, without sockets; `meter` counts its requests.

    `strict` checks the keys of every script, not only of scripts with the `allow-key-locking` flag.
    `clock` (epoch milliseconds) sets the reply to TIME, in scripts too; expiry uses the real time.
    `allowed_scripts` are SHA-1s of script texts: an engine without a sandbox runs only these.
    `limits` are those on sizes; without them, Upstash's own apply.
    `read_only_token` is a second token, which may use commands that only read.
    `handle` raises `Unreachable` or `UnknownOutcome` if the engine does, and nothing else.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        token: str,
        strict: bool = False,
        clock: Callable[[], int] | None = None,
        limits: Limits | None = None,
        allowed_scripts: Container[str] | None = None,
        read_only_token: str | None = None,
    ) -> None:
        self.meter = ServerMeter()
        self.limits = limits = limits or Limits()
        self._token = token.encode()
        self._read_only_token = (read_only_token or "").encode()
        entries = Entries(engine, limits.entry_bytes)
        self._scripts = Scripts(
            engine,
            strict=strict,
            clock=clock,
            allowed=allowed_scripts,
            limits=limits,
            entries=entries,
        )
        self._dispatcher = Dispatcher(
            engine,
            self.meter,
            scripts=self._scripts,
            limits=limits,
            entries=entries,
            clock=clock,
        )
        self._synced = 0

    async def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        """Answer one request. `path` and `query` are percent-encoded, header names lower-case."""
        self.meter.requests += 1
        self.meter.bytes_in += len(body)
        access = self._access(query, headers)
        response = self._refusal(method, access, headers, body)
        if response is None:
            route, read_only = "/" + path.lstrip("/"), access is _Access.READ
            response = await self._respond(method, route, query, headers, body, read_only=read_only)
        if method == "HEAD":
            response = Response(response.status, response.headers, b"")
        self.meter.bytes_out += len(response.body)
        return response

    def preface_next(self, sha: str, lua: str) -> None:
        """Put one line of Lua in front of the next run of the script with this SHA-1, and of that
        run only. Tests inject faults so."""
        self._scripts.preface_next(sha, lua)

    def authorized(self, query: str, headers: Mapping[str, str]) -> bool:
        """True if the request has a token, as `?_token=` or else in its header."""
        return self._access(query, headers) is not None

    def _access(self, query: str, headers: Mapping[str, str]) -> _Access | None:
        token: str | None = dict(parse_qsl(query)).get("_token") if "_token=" in query else None
        if token is None:
            scheme, _, token = headers.get("authorization", "").strip().partition(" ")
            token = token.strip() if scheme.lower() == "bearer" else ""
        raw = token.encode("utf-8", "replace")
        if hmac.compare_digest(raw, self._token):
            return _Access.FULL
        if self._read_only_token and hmac.compare_digest(raw, self._read_only_token):
            return _Access.READ
        return None

    def _refusal(
        self, method: str, access: _Access | None, headers: Mapping[str, str], body: bytes
    ) -> Response | None:
        if method not in {"POST", "GET", "PUT", "HEAD"}:
            return _response(405, b"")
        if access is None:
            return _error("WRONGPASS invalid or missing auth token", status=401)
        # `server` discards an oversized body and passes its size in the header.
        size = max(len(body), number(headers.get("content-length")))
        if size > self.limits.request_bytes:
            return _error(str(too_large("request", self.limits.request_bytes, size)))
        return None

    async def _respond(
        self,
        method: str,
        route: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        read_only: bool,
    ) -> Response:
        run = self._dispatcher
        try:
            form = _Form.of(headers, route)
            if route == "/pipeline":
                answer = form.many(await run.pipeline(many_commands(body), read_only=read_only))
            elif route == "/multi-exec":
                replies = await run.transaction(many_commands(body), read_only=read_only)
                answer = (
                    form.one(replies) if isinstance(replies, EngineError) else form.many(replies)
                )
            elif error := missing_route(route):
                answer = form.one(error)
            else:
                args = one_command(method, route, query, body)
                answer = form.one(await run.one(args, read_only=read_only))
        except MalformedRequest as error:
            return _error(str(error))
        answer.headers.append((b"upstash-sync-token", self._sync_token(headers)))
        return answer

    def _sync_token(self, headers: Mapping[str, str]) -> bytes:
        # One server without replicas: every read sees earlier writes, so the token only advances.
        self._synced = max(self._synced, number(headers.get("upstash-sync-token"))) + 1
        return b"%d" % self._synced


class _Access(Enum):
    """The access that a token gives."""

    FULL = auto()
    READ = auto()


@dataclass(frozen=True, slots=True)
class _Form:
    """The reply format that a request selects."""

    base64: bool
    raw: bool

    @classmethod
    def of(cls, headers: Mapping[str, str], route: str) -> _Form:
        encoding = headers.get("upstash-encoding", "")
        form = headers.get("upstash-response-format", "json")
        if encoding not in {"", "base64"}:
            raise MalformedRequest(f"ERR invalid Upstash-Encoding: {encoding}")
        if form not in {"json", "resp2"}:
            raise MalformedRequest(f"ERR invalid Upstash-Response-Format: {form}")
        if form == "resp2" and encoding == "base64":
            raise MalformedRequest(
                "ERR Upstash-Encoding: base64 is not permitted with the resp2 format"
            )
        if form == "resp2" and route == "/multi-exec":
            raise MalformedRequest("ERR the resp2 format is not applicable to /multi-exec")
        return cls(base64=encoding == "base64", raw=form == "resp2")

    def one(self, reply: Reply) -> Response:
        status = 400 if isinstance(reply, EngineError) else 200
        if self.raw:
            return _response(status, resp2(reply), b"application/octet-stream")
        return _response(status, dump(item(reply, base64=self.base64)))

    def many(self, replies: list[Reply]) -> Response:
        if self.raw:
            return _response(200, b"".join(map(resp2, replies)), b"application/octet-stream")
        return _response(200, dump([item(reply, base64=self.base64) for reply in replies]))


def _error(text: str, *, status: int = 400) -> Response:
    return _response(status, dump({"error": text}))


def _response(status: int, body: bytes, content: bytes = b"application/json") -> Response:
    length = b"%d" % len(body)
    headers = [
        (b"content-type", content),
        (b"content-length", length),
        (b"date", _date(int(time()))),
    ]
    return Response(status, headers, body)


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
