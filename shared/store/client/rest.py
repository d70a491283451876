"""The store's REST client: one command per request, with timeouts, retries and the meter.

Timeouts never exceed the caller's deadline, errors are typed by their meaning, and a reply has a
maximum size. A request is repeated only before the deadline; after error replies that name no time
at most three times, because each attempt may be billed. Every script is replay-safe by its
arguments, so it is always correct to repeat a request whose reply was lost.
"""

from __future__ import annotations

import asyncio
import calendar
import random
import re
import time
from collections.abc import Iterator
from contextlib import aclosing
from functools import lru_cache
from typing import Any, NamedTuple

import httpx
from pydantic_core import to_json

from ...clock import Clock, SystemClock
from ...errors import Refused, Throttled, TooLarge, UnknownOutcome, Unreachable
from ..meter import Meter
from .replies import parse, read
from .upstash import Request, UpstashClient
from .wire import Wire

CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 5.0
LARGEST_REQUEST = 10 * 2**20
IN_FLIGHT = 8
"""Connections per process. The store is fastest and cheapest with few, large requests."""
FIRST_SHARE = 0.4
"""Share of the time left that the first attempt gets, so that a request on a dead connection can be
repeated on a new one."""
SENT_A_SECOND = 2**20
"""Bytes: a large request gets the time to send it on top of its share."""
FIRST_WAIT, LONGEST_WAIT = 0.05, 2.0
ANSWERED_WAITS = (0.25, 1.0, 4.0)
"""Seconds before each repeat after an error reply that names no time: requests would not help."""

_HEADERS = {"Accept-Encoding": "gzip, deflate", "Content-Type": "application/json"}
_LINE_END = re.compile(rb"[\r\n\0]")
_REPEATABLE = (Unreachable, UnknownOutcome, Throttled)


class Reply(NamedTuple):
    """A decoded value. `repeated`: an earlier attempt may have run, so the value may describe the
    effect of this very request."""

    value: Any
    repeated: bool


class Rest:
    """A client of one store for one event loop. It contacts nothing before its first command."""

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
        self._transport = transport or Wire(IN_FLIGHT)
        self._client = UpstashClient(url, token, self._send, self._transport.aclose)
        self._sync_token = ""
        self._last_date = ("", 0)

    async def execute(
        self, command: list[str | int], verb: str, *, within: float | None = None
    ) -> Any:
        """Run one command; return its reply with every string decoded (bytes if not UTF-8).

        `within`: seconds after which it is not repeated any more. Raises StoreError.
        """
        return (await self.send(command, verb, within=within)).value

    async def send(
        self, command: list[str | int], verb: str, *, within: float | None = None
    ) -> Reply:
        """Like `execute`; the reply also says whether the command was repeated."""
        self.meter.add(verb, 1)
        seconds = READ_TIMEOUT if within is None else within
        request = Request(self.clock.monotonic() + seconds)
        return Reply(await self._client.run(command, request), request.repeated)

    def skew_ms(self) -> float:
        """The store's clock minus ours in milliseconds, from the last reply's Date header. The
        header has whole seconds, so a difference below 2 s counts as none."""
        text, received = self._last_date
        try:
            stamp = calendar.timegm(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT"))
        except ValueError:
            return 0.0
        skew = stamp * 1000.0 - received
        return 0.0 if -2000 < skew < 2000 else skew

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def abort(self) -> None:
        """Close the connections without their event loop, which is closed."""
        abort = getattr(self._transport, "abort", None)  # httpx's own transports have none
        if abort is not None:
            abort()

    async def _send(
        self, url: str, headers: dict[str, str], command: list[Any], request: Request
    ) -> Any:
        """POST the command; repeat it before the deadline if a repetition can help."""
        body = to_json(command)
        if len(body) > LARGEST_REQUEST:
            raise TooLarge(f"the request has {len(body)} bytes; the store takes {LARGEST_REQUEST}")
        waits, answered_waits = _doubling_waits(), iter(ANSWERED_WAITS)
        share = FIRST_SHARE
        while True:
            try:
                seconds = self._seconds(request, share, body)
                return await self._post(url, headers, body, seconds)
            except _REPEATABLE as error:
                unpaced = error.answered and error.retry_after is None
                wait = next(answered_waits if unpaced else waits, None)
                if wait is None:
                    raise
                jitter = 0.5 + random.random() / 2  # noqa: S311 - no secret
                pause = max(error.retry_after or 0.0, wait * jitter)
                if self.clock.monotonic() + pause >= request.deadline:
                    raise
                request.repeated = request.repeated or isinstance(error, UnknownOutcome)
                await self.clock.sleep(pause)
                share = 1.0

    def _seconds(self, request: Request, share: float, body: bytes) -> float:
        """The seconds of one attempt."""
        left = max(0.05, request.deadline - self.clock.monotonic())
        return min(READ_TIMEOUT, left, max(0.05, left * share) + len(body) / SENT_A_SECOND)

    async def _post(self, url: str, headers: dict[str, str], body: bytes, seconds: float) -> Any:
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds))
        headers = {**headers, **_HEADERS, "Upstash-Sync-Token": self._sync_token}
        self.meter.requests += 1
        self.meter.bytes_out += len(body)
        try:
            request = httpx.Request("POST", _url(url), headers=headers, content=body)
            request.extensions["timeout"] = timeout.as_dict()
            _check_headers(request)
            # httpx's timeouts apply to each chunk: a reply that drips would never exceed them.
            async with asyncio.timeout(seconds):
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
        self.meter.bytes_in += len(raw)
        self._sync_token = response.headers.get("upstash-sync-token", self._sync_token)
        self._last_date = (response.headers.get("date", ""), self.clock.epoch_ms())
        return parse(response, raw)


def _doubling_waits() -> Iterator[float]:
    wait = FIRST_WAIT
    while True:
        yield wait
        wait = min(LONGEST_WAIT, wait * 2)


def _check_headers(request: httpx.Request) -> None:
    """Raises Refused for a header that would end its own line."""
    for name, value in request.headers.raw:
        if _LINE_END.search(value):
            raise Refused(
                f"the header {name.decode('ascii')} has a line break: is one in "
                "UPSTASH_REDIS_REST_TOKEN?"
            )


@lru_cache(maxsize=8)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _host(url: str) -> str:
    return httpx.URL(url).host
