"""Vercel: the deadline of a request."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime


def seconds_until_deadline() -> float | None:
    """Seconds until Vercel ends this request; None where its runtime is too old to say."""
    try:
        runtime = importlib.import_module("vercel_runtime")  # exists on Vercel only
    except ImportError:
        return None
    get_deadline = getattr(runtime, "get_deadline", lambda: None)  # not before 0.23
    deadline: datetime | None = get_deadline()
    if deadline is None:
        return None
    return max(0.0, (deadline - datetime.now(UTC)).total_seconds())
