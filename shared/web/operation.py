"""One operation of the HTTP API, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from ..access.rights import Access
from .call import Handler

Models = tuple[type[BaseModel], ...]
AUDITED: frozenset[Access] = frozenset({"operate", "delete", "manage"})
"""The rights whose use is written into the audit, unless it only reads."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API. Where several models are listed, one of them applies. `problems`:
    statuses of its own beside those that follow from the other fields. `text`: the media type of a
    200 that is no JSON. `head`: a HEAD request is answered as this GET, without the body; False
    where a GET has effects.

    `access`: the right that it needs. `own`: its handler also answers callers who see only the jobs
    that they have enqueued. `filters`: its handler keeps to the queues of its caller, though its
    path names none; without it, a token that is limited to some queues does not open it."""

    method: str
    path: str
    access: Access
    handler: Handler
    responses: Mapping[int, Models]
    takes: Models = ()
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    text: str | None = None
    head: bool = True
    own: bool = False
    filters: bool = False

    @property
    def name(self) -> str:
        """Such as "queues.pause", for the audit."""
        return f"{self.handler.__module__.rpartition('.')[2]}.{self.handler.__name__}"

    @property
    def by_job(self) -> bool:
        """True if it is about jobs that are known one by one, so that a token which is limited to
        job types or keys opens it for those."""
        return self.access == "enqueue" or "{id}" in self.path

    @property
    def is_audited(self) -> bool:
        """True for what operators change."""
        return self.method not in ("GET", "HEAD") and self.access in AUDITED
