"""How a rehearsal says that something is not as it must be, or can't be tried here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds given to what takes one on an idle machine: a bound against waiting for ever, no claim
about speed."""


class Failed(Exception):
    """What was rehearsed did not do what it must."""


class Skipped(Exception):
    """This machine lacks what the step needs; the message says what."""


def check(condition: object, otherwise: str) -> None:
    """Raises Failed with `otherwise` unless `condition` holds."""
    if not condition:
        raise Failed(otherwise)


def wait_for(
    look: Callable[[], T | None], *, what: str, within: float = PATIENCE, every: float = 0.1
) -> T:
    """The first truthy thing that `look` returns; Failed when `within` seconds bring none."""
    end = time.monotonic() + within
    while True:
        late = time.monotonic() >= end  # before the look: a slow one still counts
        found = look()
        if found:
            return found
        if late:
            raise Failed(f"waited {within:g} s in vain for {what}")
        time.sleep(every)
