"""Ends that have follow-ups. They are reached in three steps, and a function that dies between two
of them leaves the rest to the next one that claims the job:

1. a settle "decide" writes the outcome into the job's record, under a mark, while the lease is
   open. From then on nothing changes how the job ends, and its handler does not run again.
2. the follow-ups are enqueued. Their ids are made of the job's id and the mark, so a repeat stores
   nothing twice.
3. the settle of the end.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..declare.queue import Queue
from ..errors import (
    STORE_DOWN,
    ConfigurationError,
    KeyLimited,
    StoreError,
    UnknownQueue,
)
from ..jobs.claim import Claim
from ..jobs.ends import DecidedEnd, RefusedFollowUp, without_end
from ..jobs.history import add_to_history
from ..jobs.outcome import Outcome
from ..store import Store
from ..store.turn import Settle
from .budget import Budget
from .follow_up_jobs import FollowUpJob, end_with_follow_ups, follow_up_jobs
from .run import Run

log = logging.getLogger("tidegate.drain")

FIRST_RETRY_SECONDS = 60.0
"""Seconds after which a job is claimed again whose follow-ups could not be stored. It doubles: each
time the job waits as long as it has waited in all. One that its key's rate refuses is tried at its
token."""
LONGEST_RETRY_SECONDS = 3600.0
LEAST_SECONDS, MOST_SECONDS = 1.0, 10.0
"""Bounds of the time for which one request for follow-ups is repeated."""


@dataclass(slots=True)
class Ending:
    """A job whose end is decided. `history` is that of the ended job."""

    run: Run
    end: DecidedEnd
    history: str
    started: bool
    token_in: float | None = None
    """Seconds until a key's rate takes a follow-up that it refused, the shortest."""

    def outcome(self, now_ms: int) -> Outcome:
        """The end or, where follow-ups are missing, a wait until they are tried again."""
        if self.end.missing is None:
            return Outcome(self.end.kind, started=self.started)
        wait = self._retry_in(now_ms)
        return Outcome("release", wait, self.end.detail(), started=self.started)

    def log_missing(self, now_ms: int) -> None:
        """Log follow-ups that could not be stored, if there are any."""
        missing, claim = self.end.missing, self.run.claim
        if missing is None:
            return
        wait, reason = self._retry_in(now_ms), f"queue {missing.queue!r}: {missing.why}"
        facts = {"queue": claim.queue, "job_id": claim.public_id, "reason": reason}
        is_news = self.token_in is None and wait < LONGEST_RETRY_SECONDS
        level = logging.ERROR if is_news else logging.INFO
        log.log(level, "follow_ups_not_stored", extra={**facts, "retry_after": wait})

    def _retry_in(self, now_ms: int) -> float:
        """Seconds until missing follow-ups are tried again."""
        if self.token_in is not None:
            return min(LONGEST_RETRY_SECONDS, self.token_in)
        waited_ms = now_ms - self.end.at_ms
        longest, least = int(LONGEST_RETRY_SECONDS * 1000), int(FIRST_RETRY_SECONDS * 1000)
        return min(longest, max(least, waited_ms)) / 1000


class Endings:
    """The ends of one consumer's jobs that have follow-ups and are not settled yet. `proposed`, by
    lease: the next turn decides them; `decided`: their follow-ups are being stored.
    `has_followers`: job types of the queue declare some."""

    def __init__(
        self, queue: Queue, store: Store, find_queue: Callable[[str], Queue], budget: Budget
    ) -> None:
        followers = [job_type.followers for job_type in queue.types.values()]
        self.has_followers = any(one.completed or one.dead for one in followers)
        self._store, self._find_queue, self._budget = store, find_queue, budget
        self.proposed: dict[str, Ending] = {}
        self.decided: list[Ending] = []

    def propose(self, run: Run, outcome: Outcome) -> Outcome:
        """The outcome to settle of a job that may have follow-ups: its own or, if it is an end that
        has some, the one that decides it."""
        kind = end_with_follow_ups(run, outcome)
        if kind is None:
            return outcome
        now = self._budget.clock.epoch_ms()
        end = DecidedEnd(kind, secrets.token_hex(6), now)
        history = add_to_history(run.claim, outcome, now)
        self.proposed[run.claim.lease] = Ending(run, end, history, outcome.started)
        return Outcome("decide", detail={**outcome.detail, **end.detail()})

    def resume(self, run: Run, end: DecidedEnd) -> None:
        """Finish the end of a claimed job that was decided before."""
        again = end._replace(missing=None)
        self.decided.append(Ending(run, again, without_end(run.claim), started=False))

    def confirm(self, settles: Sequence[Settle], stale: Collection[str]) -> None:
        """Take notice of a turn. An end whose lease was lost is decided by another function."""
        for settle in settles:
            ending = self.proposed.pop(settle.lease, None) if settle.kind == "decide" else None
            if ending is not None and settle.lease not in stale:
                self.decided.append(ending)

    async def finish(self, settle: Callable[[Claim, Outcome], None]) -> None:
        """Enqueue the follow-ups of the decided ends, one request a queue, and have those ends
        settled. Raises StoreError where the store fails altogether."""
        wanted = defaultdict[str, list[tuple[Ending, FollowUpJob]]](list)
        now = self._budget.clock.epoch_ms()
        for ending in self.decided:
            for one in follow_up_jobs(ending.run, ending.end, ending.history, now):
                if one.name not in ending.end.stored:
                    wanted[one.queue].append((ending, one))
        for name, pairs in wanted.items():
            await self._store_on(name, pairs)
        ended, self.decided = self.decided, []
        now = self._budget.clock.epoch_ms()
        for ending in ended:
            ending.log_missing(now)
            claim = ending.run.claim
            told = claim._replace(history=ending.history, stored_history=claim.history)
            settle(told, ending.outcome(now))

    def _within(self) -> float:
        """Seconds for which a request is repeated: the drain must settle the ends in its time."""
        return max(LEAST_SECONDS, min(MOST_SECONDS, self._budget.left() / 2))

    async def _store_on(self, name: str, pairs: Sequence[tuple[Ending, FollowUpJob]]) -> None:
        """Store those of one queue; where the store refuses the request, each by itself: one that
        can't be stored holds back no others."""
        try:
            queue = self._find_queue(name)
            follow_ups = [one.job for _, one in pairs]
            answers = await self._store.enqueue_follow_ups(queue, follow_ups, within=self._within())
        except STORE_DOWN:
            raise
        except StoreError as error:
            if len(pairs) > 1:
                for pair in pairs:
                    await self._store_on(name, [pair])
            else:
                _miss(pairs, str(error))
        except (UnknownQueue, ConfigurationError) as error:
            gone = isinstance(error, UnknownQueue)  # its text names the queues that there are
            _miss(pairs, "it is declared no more" if gone else str(error))
        else:
            ahead, rate = Counter[str](), queue.refused_rate
            for answer, pair in zip(answers, pairs, strict=True):
                if answer.refusal is None:
                    _note(*pair)
                elif isinstance(answer.refusal, KeyLimited):
                    key = pair[1].job.key
                    _miss([pair], f"it takes no more of key {key!r} now")
                    gap = rate.per / rate.rate if rate else 0.0
                    _wait_for_token(pair[0], answer.refusal.retry_after + ahead[key] * gap)
                    ahead[key] += 1
                else:
                    _miss([pair], "it is full")


def _note(ending: Ending, follow_up: FollowUpJob) -> None:
    ending.end = ending.end._replace(stored=[*ending.end.stored, follow_up.name])


def _miss(pairs: Sequence[tuple[Ending, FollowUpJob]], why: str) -> None:
    for ending, follow_up in pairs:
        ending.end = ending.end._replace(missing=RefusedFollowUp(follow_up.queue, why))


def _wait_for_token(ending: Ending, seconds: float) -> None:
    waits = [seconds] if ending.token_in is None else [seconds, ending.token_in]
    ending.token_in = min(waits)
