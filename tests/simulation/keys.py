"""What the book holds of the keys of a queue's jobs: their tokens and their backlogs. The rules in
whole numbers; that the scripts keep one instant a key, and when they forget it, is theirs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared import Queue
from shared.declare.policy import RateLimit

from .census import Census

PARTS = 2048
"""Parts of a millisecond. The time between two tokens is rounded up to a whole part."""


def interval(rate: RateLimit) -> int:
    """Parts of a millisecond in which a key gets a token."""
    return -(-rate.per_ms * PARTS // rate.rate)


@dataclass(slots=True)
class Keys:
    """`backlogs`: key -> ids, in the order in which they came to be claimed. `new`: those that a
    turn has just put there; where they stand is the scripts' choice. `put_off`: the fence at which
    each job was last put off. `levels`: key -> its bucket's level, in parts, and when. `vacant`:
    keys with places in their backlogs whose jobs are gone."""

    queue: Queue
    backlogs: dict[str, list[str]] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    put_off: dict[str, int] = field(default_factory=dict)
    levels: dict[str, tuple[int, int]] = field(default_factory=dict)
    vacant: set[str] = field(default_factory=set)

    def copy(self) -> Keys:
        twin = copy.copy(self)
        twin.backlogs = {key: list(ids) for key, ids in self.backlogs.items()}
        twin.new, twin.put_off, twin.levels = [*self.new], {**self.put_off}, {**self.levels}
        return twin

    @property
    def rate(self) -> RateLimit | None:
        """The rate of each key, of its starts or of its enqueues."""
        return self.queue.per_key.rate if self.queue.per_key else None

    @property
    def rate_of_starts(self) -> RateLimit | None:
        return None if self.queue.refused_rate else self.rate

    def ids(self) -> list[str]:
        """All that wait for their keys."""
        return [job for ids in self.backlogs.values() for job in ids]

    def count(self) -> int:
        return sum(map(len, self.backlogs.values()))

    def waits_for(self, job: str) -> str:
        """The key in whose backlog a job stands; "" where it stands in none."""
        return next((key for key, ids in self.backlogs.items() if job in ids), "")

    def remove(self, job: str) -> bool:
        """Was it there?"""
        key = self.waits_for(job)
        if key:
            self.backlogs[key].remove(job)
        return bool(key)

    def ms_to_token(self, key: str, now: int) -> int:
        """0: it has one."""
        if self.rate is None:
            return 0
        return max(0, -((self._level(key, now, self.rate) - interval(self.rate)) // PARTS))

    def tokens(self, key: str, now: int) -> int:
        """Whole tokens of a key."""
        assert self.rate is not None
        return self._level(key, now, self.rate) // interval(self.rate)

    def take(self, key: str, now: int) -> None:
        if self.rate is not None:
            self.levels[key] = self._level(key, now, self.rate) - interval(self.rate), now

    def _level(self, key: str, now: int, rate: RateLimit) -> int:
        full = rate.burst * interval(rate)
        level, at = self.levels.get(key, (full, now))
        return max(0, min(full, level + (now - at) * PARTS))

    def see(self, before: Census) -> None:
        """What a turn meets."""
        states = {key: text.split(" ") for key, text in before.key_states.items()}
        places = {key: int(after) - int(first) for key, (_, first, after, _) in states.items()}
        self.vacant = {key for key, n in places.items() if n > len(self.backlogs.get(key, ()))}

    def adopt(self, census: Census, lost: set[str]) -> Mapping[str, str]:
        """Where the scripts put the jobs of this turn: id -> position. Entries of `lost` jobs,
        whose records are gone, may have been passed."""
        stored = {job: entry.split(" ")[1] for entry, job in census.backlogs.items()}
        for ids in self.backlogs.values():
            ids[:] = [job for job in ids if job in stored or job not in lost]
        new, self.new = self.new, []
        return {job: stored.get(job, "") for job in new}
