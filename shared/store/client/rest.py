"""upstash-redis, wired to an HTTP layer of ours.

upstash-redis 1.8.0 has no timeout, sends anything again after any exception, ignores the HTTP
status and loses a whole reply to one byte that is not UTF-8 (docs/decisions/0002). So its private
HTTP object is replaced by `HttpLayer`: real timeouts that never go beyond the caller's deadline,
errors typed by what they mean, repeats only within the deadline, a size cap, and the meter. Every
script is replay-safe by its arguments, so repeating a request whose reply was lost is always
right.
"""

from __future__ import annotations

import asyncio
import calendar
import random
import time
from contextlib import aclosing
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import httpx
from pydantic_core import to_json
from upstash_redis.asyncio import Redis
from upstash_redis.http import make_headers

from ...clock import Clock, SystemClock
from ...errors import Refused, Throttled, TooLarge, UnknownOutcome, Unreachable
from ..meter import Meter
from .replies import parse, read, result
from .wire import Wire

CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 5.0
LARGEST_REQUEST = 10 * 2**20
IN_FLIGHT = 8
"""Connections of one process. Few and large requests are what the store is quick and cheap with."""
FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0

_HEADERS = {"Accept-Encoding": "gzip, deflate", "Content-Type": "application/json"}
_deadline: ContextVar[float | None] = ContextVar("tidegate_store_deadline", default=None)

_REPEATABLE = (Unreachable, UnknownOutcome, Throttled)


class Rest:
    """One command at a time to the store. Built once a process and event loop."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.meter = meter or Meter()
        self.clock = clock or SystemClock()
        self._layer = HttpLayer(self.meter, self.clock, transport)
        self._redis = _Client(url, token, self._layer)

    async def execute(
        self, command: list[str | int], verb: str, *, within: float | None = None
    ) -> Any:
        """Run one command; its reply with every string decoded (bytes where it is not UTF-8).

        `within`: seconds after which it is not repeated any more. Raises StoreError.
        """
        self.meter.add(verb, 1)
        if within is None:
            return await self._redis.execute(command)
        token = _deadline.set(self.clock.monotonic() + within)
        try:
            return await self._redis.execute(command)
        finally:
            _deadline.reset(token)

    def skew_ms(self) -> float:
        """The store's clock minus ours in milliseconds, as its last Date header told (whole
        seconds)."""
        return self._layer.skew_ms()

    async def close(self) -> None:
        await self._redis.close()


class _Client(Redis):
    """upstash-redis' client around our layer. Its own `__init__` would make an httpx client first,
    with a TLS context, only for it to be replaced: a third of a cold start. The private names set
    here are pinned by a test."""

    def __init__(self, url: str, token: str, layer: HttpLayer) -> None:
        self._url = url
        self._headers = make_headers(token, "base64", allow_telemetry=False)
        self._http = layer  # type: ignore[assignment]  # the same two methods
        self._allow_telemetry = self._read_your_writes = False  # the layer keeps the sync token
        self._sync_token = ""


class HttpLayer:
    """Takes the place of `upstash_redis.http.AsyncHttpClient`: `execute` and `close`."""

    def __init__(
        self, meter: Meter, clock: Clock, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._transport = transport or Wire(IN_FLIGHT)
        self._sync_token = ""
        self._dated = ("", 0)

    async def execute(
        self,
        url: str,
        headers: dict[str, str],
        command: list[Any],
        from_pipeline: bool = False,  # noqa: FBT001, FBT002 - upstash-redis' signature
    ) -> Any:
        """POST one command (or a pipeline), again while the deadline allows it and it can help."""
        body = to_json(command)
        if len(body) > LARGEST_REQUEST:
            raise TooLarge(f"the request has {len(body)} bytes; the store takes {LARGEST_REQUEST}")
        deadline = _deadline.get()
        if deadline is None:
            deadline = self._clock.monotonic() + READ_TIMEOUT
        wait = FIRST_WAIT
        while True:
            try:
                replies = await self._post(url, headers, body, deadline)
                if from_pipeline and isinstance(replies, list):
                    return [result(reply) for reply in replies]
                return result(replies)
            except _REPEATABLE as error:
                pause = max(error.retry_after or 0.0, wait * random.random())  # noqa: S311 - jitter
                if self._clock.monotonic() + pause >= deadline:
                    raise
                await self._clock.sleep(pause)
                wait = min(LONGEST_WAIT, wait * 2)

    async def close(self) -> None:
        await self._transport.aclose()

    async def _post(self, url: str, headers: dict[str, str], body: bytes, deadline: float) -> Any:
        left = max(0.05, deadline - self._clock.monotonic())
        timeout = httpx.Timeout(min(READ_TIMEOUT, left), connect=min(CONNECT_TIMEOUT, left))
        headers = {**headers, **_HEADERS, "Upstash-Sync-Token": self._sync_token}
        self._meter.requests += 1
        self._meter.bytes_out += len(body)
        try:
            request = httpx.Request("POST", _url(url), headers=headers, content=body)
            request.extensions["timeout"] = timeout.as_dict()
            async with asyncio.timeout(left):  # httpx's are by chunk: a dripping reply meets them
                response = await self._transport.handle_async_request(request)
                async with aclosing(response):
                    raw = await read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"can't reach the store at {_host(url)}: {_text(error)}") from error
        except httpx.InvalidURL as error:
            raise Refused(f"UPSTASH_REDIS_REST_URL is not a URL: {error}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise UnknownOutcome(
                f"no reply from the store at {_host(url)}: {_text(error)}"
            ) from error
        self._meter.bytes_in += len(raw)
        self._learn(response)
        return parse(response, raw)

    def _learn(self, response: httpx.Response) -> None:
        self._sync_token = response.headers.get("upstash-sync-token", self._sync_token)
        self._dated = (response.headers.get("date", ""), self._clock.epoch_ms())

    def skew_ms(self) -> float:
        """From the last reply's Date header, which has no fractions: within 2 s it says nothing."""
        text, received = self._dated
        try:
            stamp = calendar.timegm(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT"))
        except ValueError:
            return 0.0
        skew = stamp * 1000.0 - received
        return 0.0 if -2000 < skew < 2000 else skew


@lru_cache(maxsize=8)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _host(url: str) -> str:
    return httpx.URL(url).host
