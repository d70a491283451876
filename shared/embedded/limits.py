"""Upstash's limits on sizes, and the errors of commands that exceed them."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import check_fields, require
from ..jobs.body import byte_length
from . import positions
from .engine import EngineError
from .growth import KINDS, Kind, growth_lua
from .request import Args

_BITS = 8
_UTF8 = 4
"""The bytes of a character at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest sizes in bytes: Upstash's own, unless a test lowers them.

    `entry_bytes` is the size of one key with its value, `member_bytes` that of a member of a set or
    sorted set. An entry over its limit still serves reads and deletes.
    """

    request_bytes: int = 10 * 2**20
    entry_bytes: int = 100 * 2**20
    key_bytes: int = 32 * 2**10
    member_bytes: int = 32 * 2**10

    def __post_init__(self) -> None:
        check_fields(self, Limits, "Limits")
        ok = min(self.request_bytes, self.entry_bytes, self.key_bytes, self.member_bytes) >= 1
        require(ok, f"Limits: choose bytes above 0: {self}")

    def refusal(self, name: str, args: Args) -> EngineError | None:
        """The error for a command with a key, a member or a whole value that is too large, else
        None. The sizes of entries that grow are not checked here."""
        kind = KINDS.get(name)
        if kind is not Kind.OFFSET and max(map(len, args)) * _UTF8 <= self._smallest():
            return None
        for key in positions.keys(name, args):
            if size(key) > self.key_bytes:
                return too_large("key", self.key_bytes, size(key))
        if kind is Kind.MEMBERS:
            return self._largest("member", self.member_bytes, args)
        if kind is Kind.WHOLE:
            return self._largest("single record", self.entry_bytes, args)
        if kind is Kind.OFFSET and (end := _end(name, args)) > self.entry_bytes:
            return too_large("single record", self.entry_bytes, end)
        return None

    def lua(self, *, sandboxed: bool) -> str:
        """The Lua that applies these limits to a script's inner calls."""
        return growth_lua(
            entry=self.entry_bytes,
            key=self.key_bytes,
            member=self.member_bytes,
            sandboxed=sandboxed,
        )

    def keys_refusal(self, keys: Args) -> EngineError | None:
        """The error for a script's key that is too large, else None."""
        if max(map(len, keys), default=0) * _UTF8 <= self.key_bytes:
            return None
        longest = max(map(size, keys))
        return too_large("key", self.key_bytes, longest) if longest > self.key_bytes else None

    def _smallest(self) -> int:
        return min(self.entry_bytes, self.key_bytes, self.member_bytes)

    def _largest(self, what: str, limit: int, args: Args) -> EngineError | None:
        largest = max(map(size, args[2:]), default=0)
        return too_large(what, limit, largest) if largest > limit else None


def too_large(what: str, limit: int, actual: int) -> EngineError:
    """Upstash's error for a size over its limit."""
    return EngineError(
        f"ERR max {what} size exceeded. Limit: {limit} bytes, Actual: {actual} bytes"
    )


def size(arg: str | bytes) -> int:
    """An argument's length in bytes."""
    return len(arg) if isinstance(arg, bytes) else byte_length(arg)


def _end(name: str, args: Args) -> int:
    """The length that SETRANGE or SETBIT gives a string at least; 0 for a malformed command."""
    try:
        offset = int(args[2])
    except (IndexError, ValueError):
        return 0
    if name == "SETBIT":
        return offset // _BITS + 1
    return offset + size(args[3]) if len(args) > 3 else 0
