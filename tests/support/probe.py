"""A queue's keys as they stand in the server, read and written past every guard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.embedded.engine import Engine, EngineError
from shared.store import keys
from shared.store.queue_stats import TOTALS
from shared.testing import standing_still

NEVER = "9007199254740991"
NOISE = (
    "clock",
    "replay",
    "totals",
    "turns",
    "agenda_at",
    "trim_at",
    "at",
    "jobs",
    "bytes",
    "shards",
    "moved",
    "waits",
    "purged",
    *("completed_bytes", "cancelled", "names", "inbox", "intake"),
)
"""Scalars that change with every turn; tests that mean them ask for `scalars`."""
_LISTS = ("suspects", "high", "normal", "low", "inbox", "intake")
_HASHES = ("records", "dedup", "backlogs")


class Probe:
    """`snapshot` sees every key of a queue; `seed` makes it so; `run` sends any command. `shards`:
    how many entries may hold records; all are read as one, and the first one is seeded."""

    def __init__(self, engine: Engine, prefix: str = "test", shards: int = 1) -> None:
        self._engine = engine
        self._prefix = prefix
        self.shards = shards

    async def run(self, *args: str | bytes | int) -> Any:
        """A raw command; an error reply fails the test."""
        with standing_still():
            reply = await self._engine.execute(
                [a if isinstance(a, bytes) else str(a) for a in args]
            )
        assert not isinstance(reply, EngineError), reply
        return reply

    def key(self, queue: str, part: str) -> str:
        """The name of one key of a queue; `agenda` is the deployment's."""
        if part == "agenda":
            return keys.agenda(self._prefix)
        return keys.part(self._prefix, queue, part)

    async def snapshot(self, queue: str = "q") -> dict[str, Any]:
        """Every key that exists, by its part: lists in order, hashes, sets as member -> score.

        The queue's own numbers are a part of their own, those that say something: no zeros, no
        NEVER, no noise.
        """
        further = keys.records(self.shards)[1:]
        parts = (*keys.PARTS, "agenda", *further)
        with standing_still():
            replies = await self._engine.send([self._reading(queue, part) for part in parts])
        snapshot = {part: _content(part, reply) for part, reply in zip(parts, replies, strict=True)}
        records = snapshot["records"]
        for part in further:
            records |= snapshot.pop(part)
        snapshot["records"] = {k: v for k, v in records.items() if not k.startswith(":")}
        snapshot["scalars"] = {
            k[1:]: v for k, v in records.items() if k.startswith(":") and _tells(k[1:], v)
        }
        return {part: content for part, content in snapshot.items() if content}

    async def totals(self, queue: str = "q") -> dict[str, int]:
        """Outcomes ever counted, those that are not 0."""
        raw = await self.run("HGET", self.key(queue, "records"), ":totals")
        counts = _text(raw or b"").split()
        return {name: int(n) for name, n in zip(TOTALS, counts, strict=False) if n != "0"}

    async def read(self, queue: str, part: str) -> Any:
        """One key; empty where it does not exist. Bytes that are not UTF-8 are escaped."""
        if part == "records":
            return await self._records(queue)
        return _content(part, await self.run(*self._reading(queue, part)))

    async def _records(self, queue: str) -> dict[str, str]:
        records: dict[str, str] = {}
        for part in keys.records(self.shards):
            records |= _content(part, await self.run(*self._reading(queue, part)))
        return records

    async def remove(self, queue: str, *fields: str) -> None:
        """Remove fields of the records, in whatever entry they are."""
        for part in keys.records(self.shards):
            await self.run("HDEL", self.key(queue, part), *fields)

    async def replace(self, queue: str, field: str, value: str) -> None:
        """Write a field of the records, where it is."""
        for part in keys.records(self.shards):
            if part == "records" or await self.run("HEXISTS", self.key(queue, part), field):
                at = self.key(queue, part)
        await self.run("HSET", at, field, value)

    def _reading(self, queue: str, part: str) -> tuple[str, ...]:
        key = self.key(queue, part)
        if part in _LISTS:
            return ("LRANGE", key, "0", "-1")
        if part.partition(":")[0] in _HASHES:
            return ("HGETALL", key)
        return ("ZRANGE", key, "0", "-1", "WITHSCORES")

    async def ids(self, queue: str, part: str) -> list[str]:
        """The ids (or leases) in one list or sorted set, in order."""
        return list(await self.read(queue, part))

    async def scalars(self, queue: str = "q") -> dict[str, str]:
        """The queue's own numbers, without the colon."""
        records = await self.read(queue, "records")
        return {k[1:]: str(v) for k, v in records.items() if k.startswith(":")}

    async def seed(self, queue: str, content: Mapping[str, Any]) -> None:
        """Write keys: lists, hashes (dict of texts), sorted sets (dict of numbers)."""
        for part, value in content.items():
            key = self.key(queue, part)
            if part in _LISTS:
                await self.run("RPUSH", key, *value)
            elif part in _HASHES:
                await self.run("HSET", key, *(part for pair in value.items() for part in pair))
            else:
                scored = [part for member, score in value.items() for part in (score, member)]
                await self.run("ZADD", key, *scored)


def _content(part: str, reply: Any) -> Any:
    assert not isinstance(reply, EngineError), reply
    if part in _LISTS:
        return [_text(value) for value in reply]
    if part.partition(":")[0] in _HASHES:
        return _pairs(reply)
    return {member: int(float(score)) for member, score in _pairs(reply).items()}


def _tells(name: str, value: str) -> bool:
    return name not in NOISE and value not in ("", "0", NEVER) and not name.startswith("durations:")


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    texts = [_text(value) for value in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
