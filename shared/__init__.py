"""Tidegate: background jobs for functions on a serverless Redis. All that an application
needs."""

from __future__ import annotations

from .current import Enqueuer, provide
from .errors import Cancel, ConfigurationError, Discard, RetryLater, Snooze, TidegateError
from .job import JobContext
from .policy import RateLimit, Retention, Retry
from .queue import App, Queue

__all__ = [
    "App",
    "Cancel",
    "ConfigurationError",
    "Discard",
    "JobContext",
    "Queue",
    "RateLimit",
    "Retention",
    "Retry",
    "RetryLater",
    "Snooze",
    "TidegateError",
]


def _from_environment() -> Enqueuer:
    from .connect import current_store  # noqa: PLC0415 - declaring jobs needs no store

    return current_store()


provide(_from_environment)
