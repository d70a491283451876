"""How a rehearsal says that something is not as it must be, or can't be tried here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Failed(Exception):
    """What was rehearsed did not do what it must."""


class Skipped(Exception):
    """This machine lacks what the step needs; the message says what."""


def check(condition: object, otherwise: str) -> None:
    """Raises Failed with `otherwise` unless `condition` holds."""
    if not condition:
        raise Failed(otherwise)


def wait_for(look: Callable[[], T | None], *, within: float, what: str, every: float = 0.1) -> T:
    """The first truthy thing that `look` returns; Failed when `within` seconds bring none."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise Failed(f"waited {within:g} s in vain for {what}")
