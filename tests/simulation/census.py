"""The census of one queue: every key of it as it stands in the server, and back again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.store import keys

from .server import Server, packed

HASHES = ("records", "dedup", "backlogs")
LISTS = ("suspects", "high", "normal", "low", "inbox")
SETS = ("delayed", "active", "parked", "completed", "cancelled", "dead", "key_timers")
ORDER = (*HASHES, *LISTS, *SETS)
_CONTENT = ("records", "scalars", "dedup", "backlogs", "lists", "sets", "key_timers", "agenda")


def commands(prefix: str, queue: str, shards: int) -> tuple[bytes, int]:
    """What to ask, as bytes that never change, and how many answers that brings."""
    further = keys.parts(prefix, queue, keys.records(shards)[1:])
    key = {part: keys.part(prefix, queue, part) for part in keys.PARTS}
    wire = b"".join(
        [
            *(packed("HGETALL", key[name]) for name in HASHES),
            *(packed("LRANGE", key[name], 0, -1) for name in LISTS),
            *(packed("ZRANGE", key[name], 0, -1, "WITHSCORES") for name in SETS),
            packed("ZSCORE", keys.agenda(prefix), queue),
            *(packed("HGETALL", name) for name in further),
        ]
    )
    return wire, len(ORDER) + 1 + len(further)


@dataclass(slots=True)
class Census:
    """One queue's keys. `shards`: the records of each; `records`: all of them. `agenda`: its
    instant there; None when it is not on it."""

    records: dict[str, str]
    scalars: dict[str, str]
    dedup: dict[str, str]
    backlogs: dict[str, str]
    lists: dict[str, list[str]]
    sets: dict[str, dict[str, float]]
    key_timers: dict[str, float]
    agenda: float | None
    shards: list[dict[str, str]]
    raw: list[Any]

    def same(self, other: Census) -> bool:
        """Nothing was written in between (a hash may change its order by itself)."""
        return all(getattr(self, name) == getattr(other, name) for name in _CONTENT)

    def inbox_ending(self) -> str:
        """How the ids of jobs from the inbox end: with the shard that holds the fewest bytes."""
        if len(self.shards) == 1:
            return ""
        further = [int(n) for n in self.scalars.get(":shards", "").split()[1::2]]
        further += [0] * (len(self.shards) - 1 - len(further))
        sizes = [self.number("bytes") - sum(further), *further]
        return f"~{sizes.index(min(sizes))}"

    def number(self, name: str, default: int = 0) -> int:
        """One of the queue's own numbers."""
        return int(self.scalars.get(f":{name}", default))


def read(answers: list[Any]) -> Census:
    """The answers to `commands` as values."""
    rest = iter(answers)
    hashes = {name: _pairs(next(rest)) for name in HASHES}
    lists = {name: next(rest) for name in LISTS}
    sets = {name: _scores(next(rest)) for name in SETS}
    agenda = next(rest)
    records, scalars = {}, {}
    for name, value in hashes["records"].items():
        if name[0] == ":":
            scalars[name] = value
        else:
            records[name] = value
    shards = [dict(records), *map(_pairs, rest)]
    for shard in shards[1:]:
        records |= shard
    return Census(
        records, scalars, hashes["dedup"], hashes["backlogs"], lists, sets, sets.pop("key_timers"),
        None if agenda is None else float(agenda), shards, answers,
    )  # fmt: skip


def write_back(server: Server, prefix: str, queue: str, census: Census) -> None:
    """Make the queue's keys what they were at this census: the writes since then are lost."""
    key = {part: keys.part(prefix, queue, part) for part in keys.PARTS}
    further = keys.parts(prefix, queue, keys.records(len(census.shards))[1:])
    server.run("DEL", *key.values(), *further)
    server.run("ZREM", keys.agenda(prefix), queue)
    for i, name in enumerate(ORDER):
        flat = list(census.raw[i])
        if not flat:
            continue
        if name in SETS:
            pairs = zip(flat[1::2], flat[::2], strict=True)
            server.run("ZADD", key[name], *(word for pair in pairs for word in pair))
        else:
            server.run("HSET" if name in HASHES else "RPUSH", key[name], *flat)
    for name, flat in zip(further, census.raw[len(ORDER) + 1 :], strict=True):
        if flat:
            server.run("HSET", name, *flat)
    if census.agenda is not None:
        server.run("ZADD", keys.agenda(prefix), repr(census.agenda), queue)


def _scores(flat: list[str]) -> dict[str, float]:
    return {member: float(score) for member, score in _pairs(flat).items()}


def _pairs(flat: list[str]) -> dict[str, str]:
    it = iter(flat)
    return dict(zip(it, it, strict=True))
