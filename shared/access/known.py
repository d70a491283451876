"""A process's copy of all stored tokens, read anew when it is a minute old.

Everything is read at once, so an unknown token costs nothing by itself: whatever is presented, a
process reads at most once in ten seconds, and keeps no more than the tokens that exist.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import NamedTuple

from ..clock import Clock
from ..errors import StoreError, Unreachable
from ..store.access import AccessEntries
from .token import Token, read_tokens
from .token_text import TokenText

FRESH_SECONDS = 60.0
"""How long a copy is used: a revoked token opens nothing after that."""
RETRY_SECONDS = 10.0
"""The least age of a copy that is read anew for a token that it lacks, which may be new."""
FAILED_SECONDS = 1.0
"""How long a failed read counts for further requests."""
_NOBODY = "0" * 64


class _Copy(NamedTuple):
    """The tokens by id, and when the read began, on both clocks."""

    tokens: dict[str, Token]
    read_at: float
    read_ms: int


class KnownTokens:
    """The copy of one process. `entries` answers the store's."""

    def __init__(self, entries: Callable[[], AccessEntries], prefix: str, clock: Clock) -> None:
        self.prefix = prefix
        self._entries, self._clock = entries, clock
        self._copy: _Copy | None = None
        self._failed_at: float | None = None
        self._reading = asyncio.Lock()

    async def find(self, presented: TokenText) -> Token | None:
        """The valid token of this text. Raises StoreError where the tokens can't be read: without
        them nothing is known of it."""
        copy = self._usable(self._copy, presented.id) or await self._read(presented.id)
        token = copy.tokens.get(presented.id)
        stored = token.digest if token else _NOBODY
        same = hmac.compare_digest(presented.digest.encode(), stored.encode())
        return token if token and same and token.is_valid(self._clock.epoch_ms()) else None

    def _usable(self, copy: _Copy | None, token_id: str) -> _Copy | None:
        if copy is None:
            return None
        # Both clocks: a monotonic one may stand still while a function is frozen.
        waited = abs(self._clock.epoch_ms() - copy.read_ms) / 1000
        age = max(self._clock.monotonic() - copy.read_at, waited)
        return copy if age < (FRESH_SECONDS if token_id in copy.tokens else RETRY_SECONDS) else None

    async def _read(self, token_id: str) -> _Copy:
        """A new copy. Requests that come together share one read."""
        async with self._reading:
            usable = self._usable(self._copy, token_id)
            if usable:
                return usable
            began, began_ms = self._clock.monotonic(), self._clock.epoch_ms()
            if self._failed_at is not None and began - self._failed_at < FAILED_SECONDS:
                raise Unreachable("the tokens could not be read a moment ago")
            try:
                fields = await self._entries().tokens()
            except StoreError:
                self._failed_at = self._clock.monotonic()
                raise
            tokens = {token.id: token for token in read_tokens(fields)}
            self._copy = _Copy(tokens, began, began_ms)
            return self._copy
