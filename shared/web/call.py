"""One call of an operation: the request, its caller's role and the deployment that answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from ..config.settings import ROLES, Settings
from ..declare.queue import Queue
from ..deployment import Deployment
from ..errors import InvalidRequest

_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
Deadline: TypeAlias = Callable[[Request, Settings], float]
"""Answers the seconds until the platform ends a request."""


PAGE, LARGEST_PAGE = 50, 200
"""Rows of one page of a list: by default, and the most that a caller may ask for."""


@dataclass(frozen=True, slots=True)
class Call:
    """An authorized request. `role` is the caller's, "public" where the operation needs none."""

    request: Request
    deployment: Deployment
    role: str
    deadline: Deadline

    def seconds_left(self) -> float:
        """Seconds until the platform ends the request."""
        return self.deadline(self.request, self.deployment.settings)

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def queue(self) -> Queue:
        """The path's queue. Raises UnknownQueue."""
        return self.deployment.registry.queue(self.param("queue"))

    def queues(self, name: str | None) -> list[Queue]:
        """The queue of this name, or all without one. Raises UnknownQueue."""
        return self.deployment.queues(() if name is None else (name,))

    def job(self) -> tuple[Queue, str]:
        """The queue and the local id of the path's job. Raises JobNotFound, UnknownQueue."""
        return self.deployment.locate(self.param("id"))

    def may_read_payloads(self) -> bool:
        """True for a role that sees what jobs carry: payloads, and results that are not public."""
        return self.role in ROLES[ROLES.index("operator") :]

    def query(self, *known: str) -> dict[str, str]:
        """The query's values. Raises InvalidRequest for a name that is not known, or comes twice: a
        mistyped filter must not widen what an operator does."""
        parameters = self.request.query_params
        unknown = [name for name in parameters if name not in known]
        if unknown:
            names = ", ".join(known) or "none"
            raise InvalidRequest(f"unknown parameter {unknown[0][:64]!r}; known: {names}")
        if len(parameters.multi_items()) > len(parameters):
            raise InvalidRequest("give each parameter once")
        return dict(parameters)


def whole_number(name: str, text: str, most: int) -> int:
    """A parameter from 1 to `most` as a number, in plain digits. Raises InvalidRequest."""
    number = int(text) if _WHOLE.fullmatch(text) else 0
    if not 1 <= number <= most:
        raise InvalidRequest(f"{name}: a whole number from 1 to {most}.")
    return number


def page_size(parameters: Mapping[str, str]) -> int:
    """The `limit` of a list. Raises InvalidRequest."""
    return whole_number("limit", parameters.get("limit", str(PAGE)), LARGEST_PAGE)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]
