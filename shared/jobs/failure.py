"""A failed attempt, as the hooks of `app.on_failure` get it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class JobFailure(NamedTuple):
    """The job whose attempt failed. `attempt`: the number of this one, of `attempts`. `retry_in`:
    seconds until the next one; None: there is none, the job is a dead letter now."""

    id: str
    app: str
    queue: str
    type: str
    key: str | None
    attempt: int
    attempts: int
    retry_in: float | None

    @property
    def dead(self) -> bool:
        return self.retry_in is None


FailureHook = Callable[[BaseException, JobFailure], object]
"""A function or a coroutine function that is called after a failure. Its result does not matter."""
