"""The firing alerts as fields: one description for HTTP and the command line."""

from __future__ import annotations

from typing import Any

from ..observe.describe import instant
from .notice import describe
from .state import State


def describe_alerts(state: State) -> dict[str, Any]:
    """Every alert that fires, by rule and queue, and when that was evaluated."""
    return {
        "evaluated_at": instant(state.at_ms),
        "alerts": [
            {
                "rule": rule,
                "queue": queue or None,
                "value": standing.value,
                "since": instant(standing.since_ms),
                "detail": describe(rule, standing.value),
            }
            for (rule, queue), standing in sorted(state.firing.items())
        ],
    }
