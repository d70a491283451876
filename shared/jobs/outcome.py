"""The outcome of one claim, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ..errors import LONGEST_DELAY

Kind = Literal[
    "done", "retry", "dead", "release", "snooze", "park", "cancelled", "keep", "decide"
]  # fmt: skip
"""Outcomes. "keep" is none yet: the job still runs, and its lease is prolonged. "decide" writes
down how the job ends, and prolongs its lease too: its follow-ups are stored before it ends."""

PAST: Mapping[Kind, str] = {
    "done": "done",
    "retry": "retried",
    "dead": "dead",
    "release": "released",
    "snooze": "snoozed",
    "park": "parked",
    "cancelled": "cancelled",
}
"""An outcome as reports and totals count it."""


class Outcome(NamedTuple):
    """The end of one claim. `delay` in seconds (retry, snooze, park, release); `detail` goes into
    the job's history: error, result, progress, or the reason of a park. `started` is False where
    the handler was not called: the job gives its token back."""

    kind: Kind
    delay: float = 0.0
    detail: Mapping[str, Any] = MappingProxyType({})
    started: bool = True

    @property
    def delay_ms(self) -> int:
        return round(min(self.delay, LONGEST_DELAY) * 1000) if self.delay > 0 else 0
