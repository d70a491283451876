"""The upstash-redis client with its HTTP object replaced by `Rest`.

upstash-redis 1.8.0 has no timeout, repeats a request after any exception, ignores the HTTP status,
and loses a whole reply to one byte that is not UTF-8 (docs/decisions/0002). Two parts of this
module exist only because that version leaves no other place for them. `Redis.__init__` would make
an httpx client and a TLS context only for us to replace them, a third of a cold start; so
`UpstashClient.__init__` sets its private attributes itself. `Redis.execute` passes no deadline to
its HTTP object; so a `Request` travels in a ContextVar. A test pins every private name used here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from upstash_redis.asyncio import Redis
from upstash_redis.http import make_headers


@dataclass(slots=True)
class Request:
    """One command's way to the store. `deadline` is monotonic. `repeated`: an earlier attempt may
    have run, so the reply may describe its effect."""

    deadline: float
    repeated: bool = False


Send: TypeAlias = Callable[[str, dict[str, str], list[Any], Request], Awaitable[Any]]
"""URL, headers, command and request → the decoded reply."""

_request: ContextVar[Request] = ContextVar("tidegate_store_request")


class UpstashClient(Redis):
    """upstash-redis' client over `send`."""

    def __init__(
        self, url: str, token: str, send: Send, close: Callable[[], Awaitable[None]]
    ) -> None:
        self._url = url
        self._headers = make_headers(token, "base64", allow_telemetry=False)
        self._http = HttpAdapter(send, close)  # type: ignore[assignment]  # the same two methods
        self._allow_telemetry = self._read_your_writes = False  # `Rest` stores the sync token
        self._sync_token = ""

    async def run(self, command: list[str | int], request: Request) -> Any:
        """Execute one command before the request's deadline."""
        token = _request.set(request)
        try:
            return await self.execute(command)
        finally:
            _request.reset(token)


class HttpAdapter:
    """The replacement of `upstash_redis.http.AsyncHttpClient`: `execute` and `close`."""

    def __init__(self, send: Send, close: Callable[[], Awaitable[None]]) -> None:
        self._send = send
        self.close = close

    async def execute(
        self,
        url: str,
        headers: dict[str, str],
        command: list[Any],
        from_pipeline: bool = False,  # noqa: FBT001, FBT002 - upstash-redis' signature
    ) -> Any:
        """Send one command. The engine never sends a pipeline: its scripts are atomic."""
        if from_pipeline:
            raise NotImplementedError("Tidegate's client sends no pipelines")
        return await self._send(url, headers, command, _request.get())
