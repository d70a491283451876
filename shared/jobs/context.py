"""The handler's view of the job it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from .claim import Claim
from .history import sanitize
from .ids import ChildId, child_id, public_id


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """A handler's logger: every line carries its job."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


class JobContext:
    """The job that a handler runs: its numbers, its logger, its progress."""

    __slots__ = (
        "_budget_left",
        "_progress",
        "attempt",
        "fence",
        "id",
        "key",
        "last_progress",
        "logger",
        "queue",
        "redelivered",
        "type",
    )

    def __init__(
        self,
        claim: Claim,
        job_type: str,
        *,
        budget_left: Callable[[], float],
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger] | None = None,
    ) -> None:
        self.id = public_id(claim.id, claim.queue)
        self.queue = claim.queue
        self.type = job_type
        self.attempt = claim.attempt
        self.fence = claim.fence
        self.key = None if claim.key == "-" else claim.key
        self.redelivered = claim.redelivered
        self.logger = logger or JobLog(
            logging.getLogger("tidegate.job"),
            {"queue": self.queue, "job_id": self.id, "type": self.type, "attempt": self.attempt},
        )
        self._budget_left = budget_left
        self._progress: dict[str, Any] | None = None
        self.last_progress: dict[str, Any] | None = None
        """The last report, which is kept with the job when it ends. For the drain."""

    def budget_left(self) -> float:
        """Seconds that this job may still use: what its timeout and the function leave."""
        return self._budget_left()

    def child_id(self, name: str, *, root: str | None = None) -> ChildId:
        """A `job_id` for a job that this one enqueues: equal in all its runs, so that a second run
        enqueues nothing twice, and one that no caller from outside can take. `root`: the id of the
        job whose work this one continues; its children are then shared."""
        return child_id(root or self.id, name)

    def is_child(self, name: str, *, root: str) -> bool:
        """True if the job `root`, or one that continued it, enqueued this job under that name."""
        return self.id == public_id(child_id(root, name), self.queue)

    def progress(self, done: float, note: str = "") -> None:
        """Report progress, 0 to 100. It is stored with the drain's next turn."""
        value = min(100.0, max(0.0, float(done)))
        self._progress = {"progress": int(value) if value.is_integer() else value}
        if note:
            self._progress["note"] = sanitize(note)
        self.last_progress = self._progress

    @property
    def has_progress(self) -> bool:
        """True if a report waits for the next turn. For the drain."""
        return self._progress is not None

    def take_progress(self) -> dict[str, Any] | None:
        """The last report since the last call. For the drain."""
        progress, self._progress = self._progress, None
        return progress
