"""A job leased to one drain."""

from __future__ import annotations

from typing import NamedTuple

from .ids import public_id


class Lease(NamedTuple):
    """The parts of a lease, a member of a queue's active set."""

    id: str
    fence: int
    owner: str
    seq: int
    exclusive: bool

    @classmethod
    def parse(cls, text: str) -> Lease:
        """`id fence owner seq exclusive`, as lua/lib/batch.lua writes it; the key of the job stands
        before `exclusive` where a limit of its queue counts the jobs of each key."""
        job_id, fence, owner, seq, *_key, exclusive = text.split(" ")
        return cls(job_id, int(fence), owner, int(seq), exclusive == "1")


class Claim(NamedTuple):
    """One leased job. `lease` is the fencing token that its settle must show; `exclusive`: it is
    quarantined and nothing may run beside it; `isolated`: it is quarantined and runs in a child
    process, beside others; `history` is its stored history; `at_ms` is the store's
    time from which it may start: of its claim, or on a limited queue of its token;
    `crashed`: the functions that ran it died so often that it is to be settled dead, unstarted;
    `decided`: its history tells how it ends."""

    lease: str
    id: str
    fence: int
    queue: str
    attempts: int
    crashes: int
    exclusive: bool
    body: str | bytes
    history: str
    foreign: bool = False
    key: str = "-"
    at_ms: int = 0
    crashed: bool = False
    decided: bool = False
    isolated: bool = False
    since_ms: int = 0
    """When it began to wait or was due, by the store's time or its producer's; 0: unknown."""
    stored_history: str | None = None
    """What a minimal history may not be longer than, where `history` is no more the stored one."""

    @property
    def public_id(self) -> str:
        """The job's id as the world outside the store sees it: `id.queue`."""
        return public_id(self.id, self.queue)

    @property
    def attempt(self) -> int:
        """The number of the attempt that this claim is for; 1 is the first."""
        return self.attempts + 1

    @property
    def redelivered(self) -> bool:
        """True if the job was handed out before and the attempts do not show it: a crash, release,
        snooze, park, or a redrive."""
        return self.fence - 1 > self.attempts
