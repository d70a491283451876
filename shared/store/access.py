"""The tokens, the audit and the counts of the API of one deployment: plain commands, each safe to
repeat (a repeated row of the audit has the same id)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import keys
from .client.rest import Rest

MOST_ROWS = 10_000
"""Rows of the audit; each new one removes what is older than that many."""
SECONDS = 2.0
"""A request waits for its token to be looked up."""


class AccessEntries:
    """The entries of one deployment. Raises StoreError."""

    def __init__(self, rest: Rest, prefix: str) -> None:
        self._rest = rest
        self._tokens, self._audit = keys.tokens(prefix), keys.audit(prefix)
        self._counts = keys.api_counts(prefix)

    async def tokens(self) -> dict[str, Any]:
        """Field → text of all tokens, in one read."""
        reply = await self._rest.execute(["HGETALL", self._tokens], "tokens", within=SECONDS)
        return dict(reply or {})

    async def put_tokens(self, fields: Mapping[str, str | int]) -> None:
        """Write these fields, all or none."""
        flat: list[str | int] = [part for field in fields.items() for part in field]
        await self._rest.execute(["HSET", self._tokens, *flat], "tokens")

    async def remove_tokens(self, fields: Sequence[str]) -> None:
        """Remove these fields."""
        await self._rest.execute(["HDEL", self._tokens, *fields], "tokens")

    async def append(self, row: str) -> None:
        """Append a row to the audit."""
        command: list[str | int] = ["XADD", self._audit, "MAXLEN", MOST_ROWS, "*", "row", row]
        await self._rest.execute(command, "audit")

    async def rows(self, before: str | None, most: int) -> list[tuple[str, str]]:
        """(id, row) of the newest rows, or of those before an id, newest first."""
        newest = "+" if before is None else f"({before}"
        command: list[str | int] = ["XREVRANGE", self._audit, newest, "-", "COUNT", most]
        reply = await self._rest.execute(command, "audit")
        return [(str(row_id), str(fields[1])) for row_id, fields in reply or ()]

    async def add(self, name: str, count: int) -> None:
        """Add to a count: "401", "403" (refused requests) or "commands" (billed ones)."""
        await self._rest.execute(["HINCRBY", self._counts, name, count], "counts", within=1.0)

    async def counts(self) -> dict[str, int]:
        """Name → everything that was ever added to it. One read."""
        reply = await self._rest.execute(["HGETALL", self._counts], "counts")
        return {str(name): int(count) for name, count in (reply or {}).items()}
