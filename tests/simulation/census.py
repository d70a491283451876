"""The census of one queue: every key of it as it stands in the server, and back again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.store import keys

from .server import Server, packed

HASHES = ("records", "dedup", "backlogs")
LISTS = ("suspects", "high", "normal", "low", "inbox", "intake")
SETS = ("delayed", "active", "parked", "completed", "cancelled", "dead", "key_timers")
ORDER = (*HASHES, *LISTS, *SETS)
_CONTENT = ("records", "scalars", "dedup", "backlogs", "lists", "sets", "key_timers", "agenda")
_KEY_STATE = ":key:"


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
    """One queue's keys. `shards`: the records of each; `records`: all of them. `key_states`: key ->
    what its field says. `agenda`: its instant there; None when it is not on it."""

    records: dict[str, str]
    scalars: dict[str, str]
    key_states: dict[str, str]
    dedup: dict[str, str]
    backlogs: dict[str, str]
    lists: dict[str, list[str]]
    sets: dict[str, dict[str, float]]
    key_timers: dict[str, float]
    agenda: float | None
    shards: list[dict[str, str]]
    raw: list[Any]
    values: list[Any]

    def same(self, other: Census) -> bool:
        """Nothing was written in between (a hash may change its order by itself)."""
        return all(getattr(self, name) == getattr(other, name) for name in _CONTENT)

    def intake(self) -> list[int]:
        """Records ever taken, those left, the instant of the list, the next and the last shard."""
        return [int(n) for n in self.scalars.get(":intake", "0 0 0 0 0").split()]

    def number(self, name: str, default: int = 0) -> int:
        """One of the queue's own numbers."""
        text = self.scalars.get(":" + name)
        return default if text is None else int(text)


def read(answers: list[Any], before: Census | None = None) -> Census:
    """The answers to `commands` as values. Those that are as `before` are not read again: a census
    never changes."""
    if before is None:
        values = [_reader(i)(answer) for i, answer in enumerate(answers)]
    else:
        known = zip(answers, before.raw, before.values, strict=True)
        values = [
            value if answer == raw else _reader(i)(answer)
            for i, (answer, raw, value) in enumerate(known)
        ]
    (own, scalars, states), dedup, backlogs, *rest = values
    shards = [own, *rest[len(LISTS) + len(SETS) + 1 :]]
    records = own if len(shards) == 1 else {k: v for shard in shards for k, v in shard.items()}
    lists = dict(zip(LISTS, rest, strict=False))
    *sets, key_timers, agenda = rest[len(LISTS) : len(LISTS) + len(SETS) + 1]
    return Census(
        records, scalars, states, dedup, backlogs, lists, dict(zip(SETS, sets, strict=False)),
        key_timers, agenda, shards, answers, values,
    )  # fmt: skip


def _reader(at: int) -> Callable[[Any], Any]:
    """Of one answer, by its place."""
    return _READERS[at] if at < len(_READERS) else _pairs


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


def _main(flat: list[str]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The records of the first shard, the queue's own numbers, and those of them that are states of
    keys."""
    records = _pairs(flat)
    scalars = {name: records.pop(name) for name in [n for n in records if n[0] == ":"]}
    states = {n[len(_KEY_STATE) :]: v for n, v in scalars.items() if n.startswith(_KEY_STATE)}
    return records, scalars, states


def _instant(score: str | None) -> float | None:
    return None if score is None else float(score)


def _same(answer: list[str]) -> list[str]:
    return answer


def _scores(flat: list[str]) -> dict[str, float]:
    return dict(zip(flat[::2], map(float, flat[1::2]), strict=True)) if flat else {}


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True)) if flat else {}


_READERS: tuple[Callable[[Any], Any], ...] = (
    _main, _pairs, _pairs, *[_same] * len(LISTS), *[_scores] * len(SETS), _instant,
)  # fmt: skip
"""Of `ORDER` and the agenda; further answers are shards of records."""
