"""One request on its way to a handler: who asks, what for, and the site it is asked of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from ..errors import JobNotFound
from ..job import split_id
from ..queue import Queue
from .body import INVALID
from .problems import Problem
from .site import Site


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request. `role` is the caller's, "public" where the route asks for none."""

    request: Request
    site: Site
    role: str

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def job(self) -> tuple[Queue, str]:
        """The queue and the short id of the path's job. Raises JobNotFound, UnknownQueue."""
        return self.locate(self.param("id"))

    def locate(self, job_id: str) -> tuple[Queue, str]:
        """The queue of a public id and the id within it. Raises JobNotFound, UnknownQueue."""
        parts = split_id(job_id)
        if parts is None:
            raise JobNotFound("this is no job id: it never existed")
        return self.site.registry.queue(parts[1]), parts[0]

    def query(self, *known: str) -> dict[str, str]:
        """The query's values. A name that is not known is refused: a mistyped filter must not
        widen what an operator does. Raises Problem."""
        given = self.request.query_params
        strange = [name for name in given if name not in known]
        if strange:
            listed = ", ".join(known) or "none"
            raise Problem(INVALID, f"unknown parameter {strange[0][:64]!r}; known: {listed}")
        return dict(given)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
