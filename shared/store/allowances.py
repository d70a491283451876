"""What tokens with limits have used: a small state each, which a script of its own judges."""

from __future__ import annotations

from typing import NamedTuple

from . import keys
from .scripts import script
from .store import Store

SECONDS = 2.0
"""A request waits for this."""


class TakeAnswer(NamedTuple):
    """The answer to one request for a token's allowance. `wait_ms`: 0 where it is allowed;
    `jobs_left`: of the day, which ends at midnight in UTC."""

    wait_ms: int
    jobs_left: int


async def take(
    store: Store, subject: str, *, requests_a_minute: int, jobs_a_day: int, jobs: int
) -> TakeAnswer:
    """Take one request and so many jobs from what a token and those that it was rotated from may
    use; 0: any number. Nothing is taken unless both fit. Raises StoreError."""
    allow = script("allow", key_locking=store.key_locking)
    name = keys.allowance(store.prefix, subject)
    args = (requests_a_minute, jobs_a_day, jobs)
    wait, left = (await allow.send(store.rest, [name], args, within=SECONDS)).value
    return TakeAnswer(int(wait), int(left))
