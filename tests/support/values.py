"""Small values that every room of the tests uses: a payload, a claim, the type of `declare`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from shared import Queue
from shared.jobs.claim import Claim

Declare = Callable[..., Queue]
"""The `declare` fixture: a queue of an application of its own."""


class Number(BaseModel):
    """A payload that only numbers its job."""

    n: int = 0


def claim(job_id: str = "a", body: str | bytes = '{"type":"t"}\n{}', **fields: Any) -> Claim:
    """A first claim of a job on queue "q"."""
    first: dict[str, Any] = {"fence": 1, "queue": "q", "attempts": 0, "crashes": 0}
    first |= {"exclusive": False, "history": ""}
    return Claim(f"{job_id} 1 o 1 0", job_id, body=body, **{**first, **fields})
