"""Outcomes as settles: what a turn is told of a job that ended, or reports progress."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from ..declare.queue import Queue
from ..encryption.history import encrypt_history
from ..jobs.body import byte_length, is_encrypted
from ..jobs.claim import Claim
from ..jobs.ends import has_open_end
from ..jobs.history import add_to_history
from ..jobs.outcome import Outcome
from ..jobs.short_history import HistoryLevel, shorten_history
from ..store import TurnReply
from ..store.turn import Settle
from .resources import DrainResources
from .run import Run

log = logging.getLogger("tidegate.drain")


class SettleWriter:
    """Makes the settles of one consumer, with histories at the level that the store tells."""

    def __init__(self, queue: Queue, resources: DrainResources) -> None:
        self._queue, self._resources = queue, resources
        self._level: HistoryLevel = "full"

    def learn(self, reply: TurnReply) -> None:
        """The level of the next settles' histories; a log line tells that it is not full."""
        if reply.history_level not in ("full", self._level):
            facts = {"queue": self._queue.name, "history_level": reply.history_level}
            log.warning("short_histories", extra=facts)
        self._level = reply.history_level

    def progress(self, runs: Iterable[Run]) -> Iterator[Settle]:
        """What running jobs have reported that no turn has carried yet, as prolonged leases."""
        for run in runs:
            if run.context and (progress := run.context.take_progress()):
                yield self.write(run.claim, Outcome("keep", detail=progress), 0)

    def write(self, claim: Claim, outcome: Outcome, at_ms: int) -> Settle:
        """The settle of an outcome, with the history to store; encrypted, where the job is."""
        history, label = add_to_history(claim, outcome, at_ms), ""
        if self._resources.tells_events:
            from .labels import label_of  # noqa: PLC0415 - most deployments tell none

            label = label_of(claim, outcome, history)
        level = self._level
        if level == "short" and has_open_end(claim, outcome):
            level = "full"  # its follow-ups are made of it; a minimal one keeps what they need
        history = self._stored(claim, history, level)
        waited = 0 if outcome.started else claim.at_ms
        return Settle(claim.lease, outcome.kind, outcome.delay_ms, history, waited, label)

    def _stored(self, claim: Claim, history: str, level: HistoryLevel) -> str:
        """A history as this level stores it. At "minimal" it is a short one where that makes the
        record no longer."""
        if level == "minimal":
            short = self._stored(claim, history, "short")
            before = claim.history if claim.stored_history is None else claim.stored_history
            if byte_length(short) <= byte_length(self._encrypted(claim, before)):
                return short
        return self._encrypted(claim, shorten_history(history, level))

    def _encrypted(self, claim: Claim, history: str) -> str:
        if not history or not is_encrypted(claim.body):
            return history
        return encrypt_history(self._resources.keyring, claim.queue, claim.id, history)
