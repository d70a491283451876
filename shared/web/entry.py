"""One operation of the HTTP API, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from .auth import Need
from .call import Handler

Models = tuple[type[BaseModel], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation. Several models mean: one of them."""

    method: str
    path: str
    need: Need
    handler: Handler
    answers: Mapping[int, Models]
    takes: Models = ()
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
