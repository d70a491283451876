"""A transport that loses, repeats and damages requests on demand."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

import httpx

from ..checks import checked, require


class Fate(Enum):
    """The outcome of one request to the store."""

    DELIVERED = "delivered"
    LOST_BEFORE = "the connection fails; nothing is sent"
    LOST_AFTER = "executed; the reply is dropped"
    TWICE = "executed twice at once; one reply"
    ECHO = "delivered, and a copy arrives after the next request"
    THROTTLED = "429 with Retry-After: 1; not executed"
    BAD_GATEWAY = "executed; a proxy answers 502 with HTML"
    TRUNCATED = "executed; half of the reply arrives"
    GARBAGE = "executed; the reply is 200 and no JSON"


FAULTS: tuple[Fate, ...] = tuple(fate for fate in Fate if fate is not Fate.DELIVERED)
ROUNDING = 1e-9
"""Odds that are meant to be 1 together may be a little more."""


class LossyTransport(httpx.AsyncBaseTransport):
    """A transport to `inner` that applies a fate to each request: the next of `fates`, DELIVERED
    after the last. `happened` lists the applied fates in order."""

    @checked
    def __init__(self, inner: httpx.AsyncBaseTransport, fates: Iterable[Fate] = ()) -> None:
        self.happened: list[Fate] = []
        self._inner = inner
        self._fates = iter(fates)
        self._echoes: deque[httpx.Request] = deque()

    @staticmethod
    def drawn(seed: int, odds: Mapping[Fate, float]) -> Iterator[Fate]:
        """An endless sequence of fates with these odds; the others are DELIVERED. Equal seeds give
        equal sequences. Raises ConfigurationError for odds below 0, or above 1 together."""
        ok = min(odds.values(), default=0.0) >= 0 and sum(odds.values()) <= 1 + ROUNDING
        require(
            ok, f"LossyTransport.drawn: odds={dict(odds)}: each is at least 0, their sum 1 at most"
        )
        return _draw(seed, odds)

    def script(self, *fates: Fate) -> None:
        """Set the fates of the next requests."""
        self._fates = iter(fates)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = next(self._fates, Fate.DELIVERED)
        self.happened.append(fate)
        match fate:
            case Fate.LOST_BEFORE:
                raise httpx.ConnectError("lost before it was sent", request=request)
            case Fate.THROTTLED:
                return httpx.Response(
                    429, headers={"retry-after": "1"}, json={"error": "ERR rate limit"}
                )
        echoes = list(self._echoes)
        self._echoes.clear()
        response = await self._inner.handle_async_request(request)
        if fate is Fate.TWICE:
            await self._inner.handle_async_request(request)
        for echo in echoes:
            await self._inner.handle_async_request(echo)
        if fate is Fate.ECHO:
            self._echoes.append(request)
        return _apply(fate, request, response)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _draw(seed: int, odds: Mapping[Fate, float]) -> Iterator[Fate]:
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose, no secret
    fates, weights = [*odds, Fate.DELIVERED], [*odds.values(), max(0.0, 1.0 - sum(odds.values()))]
    while True:
        yield rng.choices(fates, weights)[0]


def _apply(fate: Fate, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    match fate:
        case Fate.LOST_AFTER:
            raise httpx.ReadError("the reply was lost", request=request)
        case Fate.BAD_GATEWAY:
            return httpx.Response(502, html="<html><h1>502 Bad Gateway</h1></html>")
        case Fate.TRUNCATED:
            return httpx.Response(200, content=response.content[: len(response.content) // 2])
        case Fate.GARBAGE:
            return httpx.Response(200, content=b"\x00\xffnot json")
    return response
