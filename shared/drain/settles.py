"""Outcomes as settles: what a turn is told of a job that ended, or reports progress."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from ..declare.queue import Queue
from ..encryption.history import encrypt_history
from ..jobs.body import is_encrypted
from ..jobs.claim import Claim
from ..jobs.ends import has_open_end
from ..jobs.history import add_to_history
from ..jobs.outcome import Outcome
from ..jobs.short_history import Kept, shorten_history
from ..store import TurnReply
from ..store.turn import Settle
from .resources import DrainResources
from .run import Run

log = logging.getLogger("tidegate.drain")

KEPT_OF_OPEN_ENDS: Mapping[Kept, Kept] = {"whole": "whole", "short": "whole", "least": "short"}
"""How much is kept of the history of a decided end: its follow-ups are still made of it. With the
least room they are told the error's type and the start of its message, so that they can run."""


class SettleWriter:
    """Makes the settles of one consumer, with as much of histories as the store has room for."""

    def __init__(self, queue: Queue, resources: DrainResources) -> None:
        self._queue, self._resources = queue, resources
        self._kept: Kept = "whole"

    def learn(self, reply: TurnReply) -> None:
        """How much of histories the next settles keep; a log line tells that it is less."""
        if reply.kept not in ("whole", self._kept):
            facts = {"queue": self._queue.name, "kept": reply.kept}
            log.warning("short_histories", extra=facts)
        self._kept = reply.kept

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
        kept = KEPT_OF_OPEN_ENDS[self._kept] if has_open_end(claim, outcome) else self._kept
        history = shorten_history(history, kept, claim.history)
        if history and is_encrypted(claim.body):
            keyring = self._resources.keyring
            history = encrypt_history(keyring, claim.queue, claim.id, history)
        waited = 0 if outcome.started else claim.at_ms
        return Settle(claim.lease, outcome.kind, outcome.delay_ms, history, waited, label)
