"""The ledger of follow-ups: one exists exactly when its parent has ended so, once (I18).

A job whose body has follow-ups for an end is decided first, under a mark; then they are stored,
under ids that are made of the job and the mark; then the job is settled as it was decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared import Queue
from shared.jobs.body import FOLLOW_UPS, decode_body
from shared.jobs.ends import DecidedEnd, End, read_end
from shared.jobs.follow_ups import (
    GUARD_MS,
    NO_FOLLOW_UPS,
    Event,
    FollowUps,
    follow_up_id,
    read_follow_ups,
)
from shared.jobs.ids import public_id
from shared.jobs.job import Job
from shared.store.turn import Settle

from .audit import require

FOLLOW_UP = "~f"
"""How the ids of follow-ups begin."""
EVENTS: Mapping[str, Event] = {"done": "completed", "dead": "dead"}


def follow_ups_of(body: str) -> FollowUps:
    """Those that a job's body names."""
    if FOLLOW_UPS not in body:  # most have none
        return NO_FOLLOW_UPS
    try:
        return read_follow_ups(decode_body(body).follow_ups)
    except ValueError:  # a foreign producer's body
        return NO_FOLLOW_UPS


def children(queue: str, job: str, body: str, end: DecidedEnd) -> list[tuple[str, Job]]:
    """(queue, job) of each follow-up of an end."""
    event = EVENTS[end.kind]
    parent = public_id(job, queue)
    return [
        (one.queue, one.job(follow_up_id(parent, end.mark, f"{event} {n}"), end.at_ms, "", ""))
        for n, one in enumerate(follow_ups_of(body).of(event))
    ]  # fmt: skip


@dataclass(slots=True)
class Ledger:
    """What was decided and stored. `open`: (queue, job) -> its end and the ids of that end's
    follow-ups. `due`: ids of follow-ups that may be stored, with their parents. `excused`: parents
    and follow-ups of which a failover lost a part. `instants`: when follow-ups were stored (ms)."""

    open: dict[tuple[str, str], tuple[End, list[str]]] = field(default_factory=dict)
    due: dict[str, tuple[str, str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    excused: set[object] = field(default_factory=set)
    instants: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    """Ends that had follow-ups."""

    def copy(self) -> Ledger:
        return replace(
            self, open={**self.open}, due={**self.due}, counts=self.counts.copy(),
            excused={*self.excused}, instants={**self.instants},
        )  # fmt: skip

    def fall_back(self, to: Ledger) -> None:
        """The store lost what was written since: decisions that their functions still hold, and
        follow-ups of ends that it still has."""
        for job in self.due.keys() - to.due.keys():
            self.excused |= {job, self.due[job]}
        self.excused |= {job for job in self.counts if not to.counts[job]}
        self.open, self.due, self.counts = {**to.open}, {**to.due}, to.counts.copy()
        self.instants = {**to.instants}

    def stored(self, queue: Queue, jobs: Sequence[Job], now: int) -> None:
        """An enqueue stored these jobs. A follow-up whose record was deleted is remembered for an
        hour (GUARD_MS)."""
        for job in jobs:
            self.open.pop((queue.name, job.id), None)  # a new life of this id
            if job.id.startswith(FOLLOW_UP) and job.id not in self.excused:
                forgotten = now - self.instants.get(job.id, now) >= GUARD_MS
                self.counts[job.id] = 1 if forgotten else self.counts[job.id] + 1
                self.instants[job.id] = now
                require(job.id in self.due, "I18 a follow-up of no end", queue.name, job.id)
                require(self.counts[job.id] == 1, "I18 a follow-up twice", queue.name, job.id)

    def settled(
        self, queue: Queue, settles: Sequence[Settle], verdicts: str, bodies: Mapping[str, str]
    ) -> None:
        """A turn has applied some of these settles. `bodies`: of their jobs, before it."""
        for settle, verdict in zip(settles, verdicts, strict=True):
            job = settle.lease.split(" ")[0]
            if verdict == "1" and settle.kind == "decide":
                self._decided(queue, job, bodies[job], settle)
            elif verdict == "1" and settle.kind in ("done", "dead", "cancelled"):
                self._ended(queue, job, bodies[job], settle)

    def _decided(self, queue: Queue, job: str, body: str, settle: Settle) -> None:
        end = read_end(settle.history)
        if end is None:
            return
        ids = [str(child.id) for _queue, child in children(queue.name, job, body, end)]
        before = self.open.setdefault((queue.name, job), (end.kind, ids))
        require(before == (end.kind, ids), "I18 decided twice", queue.name, job, before, end)
        self.due.update(dict.fromkeys(ids, (queue.name, job)))

    def _ended(self, queue: Queue, job: str, body: str, settle: Settle) -> None:
        name = queue.name, job
        decided = self.open.pop(name, None)
        if name in self.excused:
            return
        if decided is None:
            event = EVENTS.get(settle.kind)
            wanted = follow_ups_of(body).of(event) if event else ()
            require(not wanted, "I18 an end without its follow-ups", queue.name, job, settle.kind)
            return
        kind, ids = decided
        self.ended += 1
        require(settle.kind == kind, "I18 another end than the decided one", job, kind, settle.kind)
        missing = [one for one in ids if self.counts[one] != 1 and one not in self.excused]
        require(not missing, "I18 a follow-up is missing", queue.name, job, missing)


__all__ = ["Ledger", "children", "follow_ups_of"]
