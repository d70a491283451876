"""Tidegate: background jobs for functions on a serverless Redis. This is all an application needs."""

from __future__ import annotations

from .errors import Cancel, ConfigurationError, Discard, RetryLater, Snooze, TidegateError
from .job import JobContext
from .queue import App, Queue, RateLimit, Retention, Retry

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
