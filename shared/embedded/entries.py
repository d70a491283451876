"""The sizes of entries as far as known: measured once, and counted from then on.

A count is too high rather than too low: deletes and replaced values are not subtracted. When it
comes near the limit, commands run in Lua that measures the entry, and the count is corrected.
Writes of other processes are noticed at the next measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .engine import Command, Engine, Reply
from .growth import slack

_CORRECTIONS = 8
"""An entry is measured again when this part of the limit was added to it."""
_MOST_ENTRIES = 20_000
"""The number of entries above which all sizes are measured anew, so that the table stays small."""


@dataclass(slots=True)
class _Size:
    measured: int
    added: int = 0


class Entries:
    """The sizes of the entries that this process wrote to."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._slack = slack(limit)
        self._most_added = limit // _CORRECTIONS
        self._sizes: dict[bytes, _Size] = {}
        self._arguments: set[str | bytes] = set()
        """Keys as scripts' callers wrote them, that are in `_sizes` for sure."""
        self._unmeasured: set[bytes] = set()
        self._near: set[bytes] = set()

    async def is_near(self, key: str | bytes, coming: int) -> bool:
        """True if an entry may exceed the limit with `coming` more bytes, or is due to be measured
        again."""
        (name,) = await self._measured_names([key])
        return self._is_near(self._sizes.get(name), coming)

    async def any_near(self, keys: Sequence[str | bytes], *, others: bool) -> bool:
        """True if one of the keys may exceed the limit with what a script adds without measuring.
        `others` is true for a script that may write to any key."""
        if not self._near and not self._unmeasured and self._arguments.issuperset(keys):
            return False
        names = await self._measured_names(keys)
        self._arguments.update(keys)
        if not self._near:
            return False
        return others or not self._near.isdisjoint(names)

    async def _measured_names(self, keys: Sequence[str | bytes]) -> list[bytes]:
        names = [key if isinstance(key, bytes) else key.encode() for key in keys]
        unknown = self._unmeasured.union(names).difference(self._sizes)
        if unknown:
            await self._measure(list(unknown))
        return names

    async def free_bytes(self, key: str | bytes) -> int:
        """The bytes that an entry may still grow by, measured now."""
        (reply,) = await self._engine.send([self._measure_command(key)])
        return self._limit - _bytes(reply)

    def add(self, key: str | bytes, count: int) -> None:
        """Count bytes that a command adds to an entry."""
        name = key if isinstance(key, bytes) else key.encode()
        size = self._sizes.get(name)
        if size is None:
            self._unmeasured.add(name)
            return
        size.added += count
        if self._is_near(size, self._slack):
            self._near.add(name)

    def forget(self, key: str | bytes) -> None:
        """The size of an entry is unknown; the next write measures it."""
        name = key if isinstance(key, bytes) else key.encode()
        if self._sizes.pop(name, None) is not None:
            self._near.discard(name)
            self._arguments.clear()

    def report(self, growth: Sequence[Reply]) -> None:
        """Take over what a script counted: key, added bytes (-1 for unknown), and the measured size
        (-1 if not measured) by turns."""
        for key, added, measured in zip(growth[::3], growth[1::3], growth[2::3], strict=True):
            if not (
                isinstance(key, bytes) and isinstance(added, int) and isinstance(measured, int)
            ):
                continue
            if measured >= 0:
                self._set(key, measured)
            elif added >= 0:
                self.add(key, added)
            else:
                self.forget(key)

    async def _measure(self, names: list[bytes]) -> None:
        if len(self._sizes) > _MOST_ENTRIES:
            self._sizes.clear()
            self._arguments.clear()
            self._near.clear()
        self._unmeasured.clear()
        replies = await self._engine.send([self._measure_command(name) for name in names])
        for name, reply in zip(names, replies, strict=True):
            self._set(name, _bytes(reply))

    def _measure_command(self, key: str | bytes) -> Command:
        # fakeredis has no MEMORY, and no sandbox.
        return ("MEMORY", "USAGE", key, "SAMPLES", "0") if self._engine.sandboxed else ("DUMP", key)

    def _set(self, name: bytes, measured: int) -> None:
        size = self._sizes[name] = _Size(measured)
        if self._is_near(size, self._slack):
            self._near.add(name)
        else:
            self._near.discard(name)

    def _is_near(self, size: _Size | None, coming: int) -> bool:
        if size is None:
            return False
        return size.measured + size.added + coming > self._limit or size.added > self._most_added


def _bytes(reply: Reply) -> int:
    if isinstance(reply, int):
        return reply
    return len(reply) if isinstance(reply, bytes) else 0
