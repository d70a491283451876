"""Tidegate: background jobs for serverless Python. The names that an application needs."""

from __future__ import annotations

from .declare.app import App
from .declare.default_store import Enqueuer, set_default_store
from .declare.policy import RateLimit, Retention, Retry
from .declare.queue import Queue
from .errors import Cancel, ConfigurationError, Discard, RetryLater, Snooze, TidegateError
from .jobs.context import JobContext

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
    from .deployment import environment_stores  # noqa: PLC0415 - declaring jobs needs no store

    return environment_stores().get()


set_default_store(_from_environment)
