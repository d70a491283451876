"""One operation of the HTTP API, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from pydantic import BaseModel

from ..access.rights import Access
from .call import Handler

Models = tuple[type[BaseModel], ...]
AUDITED: frozenset[Access] = frozenset({"operate", "delete", "manage"})
"""The rights whose use is written into the audit, unless it only reads."""


class Operation(NamedTuple):
    """One operation of the API. It names its handler as `module:function` of this folder, and its
    models as classes of that module, or `module:class`: they are imported when they are first asked
    for, so a function that starts cold pays for what it answers.

    `answers`: its models by status, `accepts`: those of its body; where several are listed, one of
    them applies. `problems`: statuses of its own beside those that follow from the other fields.
    `text`: the media type of a 200 that is no JSON. `head`: a HEAD request is answered as this GET,
    without the body; False where a GET has effects.

    `access`: the right that it needs. `own`: its handler also answers callers who see only the jobs
    that they have enqueued. `filters`: its handler keeps to the queues of its caller, though its
    path names none; without it, a token that is limited to some queues does not open it."""

    method: str
    path: str
    access: Access
    handled_by: str
    answers: Mapping[int, Sequence[str]]
    accepts: Sequence[str] = ()
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    problems: tuple[int, ...] = ()
    text: str | None = None
    head: bool = True
    own: bool = False
    filters: bool = False

    @property
    def name(self) -> str:
        """Such as "queues.pause", for the audit."""
        return self.handled_by.replace(":", ".")

    @property
    def handler(self) -> Handler:
        """The function that answers it."""
        handler: Handler = _load(self.handled_by)
        return handler

    @property
    def responses(self) -> Mapping[int, Models]:
        """Status -> models of the body."""
        return {status: self._models(names) for status, names in self.answers.items()}

    @property
    def takes(self) -> Models:
        """The models of the body of its request."""
        return self._models(self.accepts)

    def _models(self, names: Sequence[str]) -> Models:
        module = self.handled_by.partition(":")[0]
        return tuple(_load(one if ":" in one else f"{module}:{one}") for one in names)

    @property
    def by_job(self) -> bool:
        """True if it is about jobs that are known one by one, so that a token which is limited to
        job types or keys opens it for those."""
        return self.access == "enqueue" or "{id}" in self.path

    @property
    def is_audited(self) -> bool:
        """True for what operators change."""
        return self.method not in ("GET", "HEAD") and self.access in AUDITED


@cache
def _load(name: str) -> Any:
    """What `module:attribute` names: a module of this folder, or with dots as in an import."""
    module, _, attribute = name.partition(":")
    relative = module if module.startswith(".") else f".{module}"
    return getattr(import_module(relative, __package__), attribute)
