"""The handler's view of the job it runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from .claim import Claim
from .history import number, read_history, sanitize
from .ids import ChildId, child_id, public_id, unique_id
from .log import Log, read_log

_PROGRESS = ("progress", "note")


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """A handler's logger: every line carries its job."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class JobContext:
    """The job that a handler runs: its numbers, its logger, its progress."""

    __slots__ = (
        "_budget_left",
        "_claim",
        "_log",
        "_news",
        "_now_ms",
        "_progress",
        "attempt",
        "id",
        "key",
        "logger",
        "queue",
        "redelivered",
        "type",
        "unique_id",
    )

    def __init__(
        self,
        claim: Claim,
        job_type: str,
        *,
        budget_left: Callable[[], float],
        created_ms: int | None = None,
        now_ms: Callable[[], int] = _now_ms,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger] | None = None,
    ) -> None:
        self.id = claim.public_id
        self.unique_id = unique_id(self.id, created_ms)
        self.queue = claim.queue
        self.type = job_type
        self.attempt = claim.attempt
        self.key = None if claim.key == "-" else claim.key
        self.redelivered = claim.redelivered
        self.logger = logger or JobLog(
            logging.getLogger("tidegate.job"),
            {"queue": self.queue, "job_id": self.id, "type": self.type, "attempt": self.attempt},
        )
        self._budget_left = budget_left
        self._claim, self._now_ms = claim, now_ms
        self._log: Log | None = None
        self._news = False
        self._progress: dict[str, Any] | None = None

    @property
    def fence(self) -> int:
        """A number that rises with every claim of the job."""
        return self._claim.fence

    def budget_left(self) -> float:
        """Seconds that this job may still use: what its timeout and the function leave."""
        return self._budget_left()

    def snoozed_for(self) -> float:
        """Seconds since the first of the snoozes in a row that led to this run; 0.0 without."""
        since = number(read_history(self._claim.history), "snoozed_since")
        return max(0.0, (self._now_ms() - since) / 1000) if since else 0.0

    def child_id(self, name: str, *, root: str | None = None) -> ChildId:
        """A `job_id` for a job that this one enqueues: equal in all its runs, so that a second run
        enqueues nothing twice, another for a later job of the same id, and one that no caller from
        outside can take. `root`: the unique id of the job whose work this one continues; its
        children are then shared."""
        return child_id(root or self.unique_id, name)

    def is_child(self, name: str, *, root: str) -> bool:
        """True if the job of the unique id `root`, or one that continued it, enqueued this job
        under that name."""
        return self.id == public_id(child_id(root, name), self.queue)

    def progress(self, done: float, note: str = "") -> None:
        """Report progress, 0 to 100. It is stored with the drain's next turn."""
        value = min(100.0, max(0.0, float(done)))
        self._progress = {"progress": int(value) if value.is_integer() else value}
        if note:
            self._progress["note"] = sanitize(note)
        self._news = True

    def log(self, line: str) -> None:
        """Keep a line with the job, where `status()`, the API and `tidegate jobs show` find it,
        also after its end. It is stored with the drain's next turn. The last 50 lines are kept, of
        all its attempts, at most 500 characters each and 8 KB together."""
        if self._log is None:
            self._log = Log(read_log(read_history(self._claim.history)))
        self._log.add(self._now_ms(), self.attempt, str(line))
        self._news = True

    @property
    def last_progress(self) -> dict[str, Any] | None:
        """The last progress that was reported."""
        return self._progress

    @property
    def has_progress(self) -> bool:
        """True if progress or log lines wait for the next turn. For the drain."""
        return self._news

    def take_progress(self) -> dict[str, Any] | None:
        """All that was reported, if there is something new since the last call. For the drain."""
        if not self._news:
            return None
        self._news = False
        return self.reported()

    def take_over(self, reported: dict[str, Any]) -> None:
        """Report what the job has reported in its child process. For the drain."""
        self._progress = {name: reported[name] for name in _PROGRESS if name in reported}
        self._log = Log(read_log(reported))
        self._news = True

    def reported(self) -> dict[str, Any]:
        """All that was reported, as the detail of an outcome. For the drain."""
        return {**(self._progress or {}), **(self._log.detail() if self._log else {})}
