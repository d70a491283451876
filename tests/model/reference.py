"""What a queue is, said a second time and simply: dictionaries and no Redis.

The machine asks the store and this model the same; they must agree. Which of the jobs that wait are
claimed the store may choose; how many, and that each of them may run, is settled here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shared.job import Claim
from shared.store.turn import Settle

Place = Literal[
    "waiting", "suspect", "delayed", "active", "parked", "completed", "cancelled", "dead"
]
ENDED: tuple[Place, ...] = ("completed", "cancelled", "dead")
HOMES: dict[str, Place] = {"done": "completed", "dead": "dead", "cancelled": "cancelled"}
SPENDS = ("done", "retry", "dead", "cancelled")
MOST_CRASHES = 3


@dataclass
class ModelJob:
    """One job. `at` is when it is due, when its lease ends, or when it ended."""

    place: Place
    band: str = "n"
    at: int = 0
    fence: int = 0
    attempts: int = 0
    crashes: int = 0
    lease: str = ""
    dedup: str | None = None
    asked: bool = False


@dataclass
class Model:
    """A queue and its limits. Times are milliseconds of the store's clock."""

    rate: int = 0
    burst: int = 0
    concurrency: int = 0
    keep: int = 3
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    suspects: list[str] = field(default_factory=list)
    guards: dict[str, tuple[str, str]] = field(default_factory=dict)
    paused: bool = False
    level: int | None = None
    refilled: int = 0

    def at(self, *places: Place) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.place in places]

    def enqueue(
        self, job_id: str, band: str, delay: int, dedup: str | None, now: int
    ) -> tuple[str, str, bool]:
        """(id that stands for it, its state, is it another's?)"""
        if dedup in self.guards:
            return (*self.guards[dedup or ""], True)
        if job_id in self.jobs:
            place = self.jobs[job_id].place
            return job_id, place if place in (*ENDED, "parked") else "waiting", True
        place = "delayed" if delay else "waiting"
        self.jobs[job_id] = ModelJob(place, band, now + delay, dedup=dedup)
        if dedup:
            self.guards[dedup] = (job_id, place)
        return job_id, place, False

    def settle(self, settles: list[Settle], now: int, lease_ms: int) -> set[str]:
        """The leases that are refused."""
        refused = set()
        for item in settles:
            job_id = item.lease.split(" ")[0]
            job = self.jobs.get(job_id)
            if job is None or job.place != "active" or job.lease != item.lease:
                refused.add(item.lease)
            elif item.kind == "keep":
                job.at = now + lease_ms
            else:
                self._close(job_id, job, item, now)
        return refused

    def _close(self, job_id: str, job: ModelJob, item: Settle, now: int) -> None:
        kind = item.kind if not job.asked or item.kind in HOMES else "cancelled"
        solo = job.lease.endswith("1")
        job.fence, job.asked, job.lease = job.fence + 1, False, ""
        job.attempts += kind in SPENDS
        if kind in HOMES:
            self._end(job, HOMES[kind], now)
        elif kind == "park":
            job.place, job.at = "parked", now + item.delay_ms
        elif kind == "release" and solo:
            job.place = "suspect"
            self.suspects.insert(0, job_id)
        elif item.delay_ms and kind != "release":
            job.place, job.at = "delayed", now + item.delay_ms
        else:
            job.place = "waiting"

    def _end(self, job: ModelJob, home: Place, now: int) -> None:
        job.place, job.at = home, now
        if job.dedup:
            del self.guards[job.dedup]
            job.dedup = None

    def pass_time(self, now: int) -> None:
        """What a turn does first: recover dead leases, promote what is due."""
        for job_id, job in sorted(self.jobs.items(), key=lambda pair: (pair[1].at, pair[1].lease)):
            if job.place == "active" and job.at <= now:
                self._recover(job_id, job, now)
            elif job.place in ("delayed", "parked") and job.at <= now:
                job.place = "waiting"

    def _recover(self, job_id: str, job: ModelJob, now: int) -> None:
        job.fence += 1
        if job.asked:
            job.asked = False
            self._end(job, "cancelled", now)
        else:
            job.crashes += job.lease.endswith("1")
            if job.crashes >= MOST_CRASHES:
                self._end(job, "dead", now)
            else:
                job.place = "suspect"
                self.suspects.append(job_id)
        job.lease = ""

    def may_start(self, want: int, now: int) -> int:
        """How many jobs the limits let start now."""
        if self.paused:
            return 0
        if self.concurrency:
            want = min(want, max(0, self.concurrency - len(self.at("active"))))
        if self.rate:
            full = self.burst * 1000
            before = full if self.level is None else self.level
            self.level = min(full, before + (now - self.refilled) * self.rate)
            self.refilled = now
            want = min(want, self.level // 1000)
        return want

    def claim(
        self, claims: list[Claim], want: int, *, alone: bool, now: int, lease_ms: int
    ) -> None:
        """Take over what the store handed out, if it may."""
        starts = self.may_start(want, now)
        if starts and self.suspects and alone:
            expected = [self.suspects.pop(0)]
            assert [claim.id for claim in claims] == expected
        else:
            assert len(claims) == min(starts, len(self.at("waiting")))
            assert all(self.jobs[claim.id].place == "waiting" for claim in claims)
            expected = []
        for claim in claims:
            job = self.jobs[claim.id]
            told = (claim.fence, claim.attempts, claim.crashes, claim.solo)
            assert told == (job.fence + 1, job.attempts, job.crashes, bool(expected))
            job.place, job.lease, job.at = "active", claim.lease, now + lease_ms
        if self.rate and self.level is not None:
            self.level -= len(claims) * 1000

    def trim(self) -> None:
        """Completed jobs beyond the number that is kept go, the oldest first."""
        done = sorted(self.at("completed"), key=lambda job_id: (self.jobs[job_id].at, job_id))
        for job_id in done[: max(0, len(done) - self.keep)]:
            del self.jobs[job_id]

    def cancel(self, job_id: str, now: int) -> str | None:
        job = self.jobs.get(job_id)
        if job is None:
            return None
        if job.place in ENDED:
            return job.place
        if job.place == "active":
            job.asked = True
            return "asked"
        if job.place == "suspect":
            self.suspects.remove(job_id)
        self._end(job, "cancelled", now)
        return "cancelled"

    def redrive(self, job_ids: list[str]) -> list[bool]:
        verdicts = []
        for job_id in job_ids:
            job = self.jobs.get(job_id)
            verdicts.append(job is not None and job.place in ("dead", "parked"))
            if job is not None and verdicts[-1]:
                job.place, job.attempts, job.crashes = "waiting", 0, 0
        return verdicts

    def purge(self) -> int:
        going = self.at("waiting", "suspect", "delayed")
        for job_id in going:
            dedup = self.jobs.pop(job_id).dedup
            if dedup:
                del self.guards[dedup]
        self.suspects.clear()
        return len(going)

    def drop(self, job_ids: list[str]) -> list[bool]:
        verdicts = [job_id in self.at(*ENDED) for job_id in job_ids]
        for job_id, gone in zip(job_ids, verdicts, strict=True):
            if gone:
                self.jobs.pop(job_id, None)
        return verdicts
