"""A request on its way to a handler: its caller, and the deployment that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from ..declare.queue import Queue
from ..deployment import Deployment
from ..errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Call:
    """An authorized request. `role` is the caller's, "public" where the operation needs none;
    `seconds_left`: seconds until the platform ends the request."""

    request: Request
    deployment: Deployment
    role: str
    seconds_left: float

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def queue(self) -> Queue:
        """The path's queue. Raises UnknownQueue."""
        return self.deployment.registry.queue(self.param("queue"))

    def job(self) -> tuple[Queue, str]:
        """The queue and the local id of the path's job. Raises JobNotFound, UnknownQueue."""
        return self.deployment.locate(self.param("id"))

    def query(self, *known: str) -> dict[str, str]:
        """The query's values. Raises InvalidRequest for a name that is not known: a mistyped filter
        must not widen what an operator does."""
        parameters = self.request.query_params
        strange = [name for name in parameters if name not in known]
        if strange:
            names = ", ".join(known) or "none"
            raise InvalidRequest(f"unknown parameter {strange[0][:64]!r}; known: {names}")
        return dict(parameters)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
