"""Tidegate: background jobs for functions on a serverless Redis. All that an application
needs."""

from __future__ import annotations

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
