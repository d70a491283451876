"""The checks of a rehearsal: a condition, a bounded wait, and the two ways to end early."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds for an operation that takes one second on an idle machine: a bound on the wait, not a
requirement on speed."""


class CheckFailed(Exception):
    """A check of the rehearsal failed."""


class StepSkipped(Exception):
    """This machine lacks a tool of the step; the message names it."""


def check(condition: object, otherwise: str) -> None:
    """Raises CheckFailed with `otherwise` unless `condition` holds."""
    if not condition:
        raise CheckFailed(otherwise)


def wait_for(
    probe: Callable[[], T | None], *, what: str, within: float = PATIENCE, every: float = 0.1
) -> T:
    """The first truthy value of `probe`. Raises CheckFailed after `within` seconds without one."""
    end = time.monotonic() + within
    while True:
        expired = time.monotonic() >= end  # read first, so that a slow probe still counts
        value = probe()
        if value:
            return value
        if expired:
            raise CheckFailed(f"waited {within:g} s in vain for {what}")
        time.sleep(every)
