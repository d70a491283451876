"""One call of an operation: the request, its caller and the deployment that answers.

Handlers find queues and jobs through it, so that a token which is limited to some queues reaches no
other."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from ..access.caller import Caller
from ..config.settings import Settings
from ..declare.queue import Queue
from ..deployment import Deployment
from ..errors import InvalidRequest, UnknownQueue
from ..jobs.ids import split_id
from ..store.reads import job_not_found

if TYPE_CHECKING:
    from ..declare.schedule import Schedule
    from ..store.views import JobView

_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
Deadline: TypeAlias = Callable[[Request, Settings], float]
"""Answers the seconds until the platform ends a request."""


PAGE, LARGEST_PAGE = 50, 200
"""Rows of one page of a list: by default, and the most that a caller may ask for."""


class Call(NamedTuple):
    """An authorized request."""

    request: Request
    deployment: Deployment
    caller: Caller
    deadline: Deadline

    def seconds_left(self) -> float:
        """Seconds until the platform ends the request."""
        return self.deadline(self.request, self.deployment.settings)

    @property
    def changed(self) -> int | None:
        """The number that the handler has changed, if it counted. For the audit."""
        return getattr(self.request.state, "changed", None)

    def tell_changed(self, count: int) -> None:
        """Tell the audit how many this request has changed."""
        self.request.state.changed = count

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def queue(self) -> Queue:
        """The path's queue. Raises UnknownQueue, Forbidden."""
        return self.queue_of(str(self.request.path_params["queue"]))

    def queue_of(self, name: str) -> Queue:
        """The queue of this name. Raises UnknownQueue, Forbidden."""
        self.caller.require_queue(name)
        try:
            return self.deployment.registry.queue(name)
        except UnknownQueue:
            if self.caller.queues is None:
                raise
            # The error names the queues that there are.
            raise UnknownQueue(f"queue {name!r} is declared no more") from None

    def queues(self, name: str | None = None) -> list[Queue]:
        """The queue of this name, or without one all that the caller reaches. Raises UnknownQueue,
        Forbidden."""
        if name is not None:
            return [self.queue_of(name)]
        reached = self.caller.queues
        return [one for one in self.deployment.queues() if reached is None or one.name in reached]

    def schedules(self) -> list[Schedule]:
        """The schedules whose jobs the caller reaches."""
        names = {queue.name for queue in self.queues()}
        schedules = self.deployment.registry.schedules
        return [one for one in schedules if one.job_type.queue.name in names]

    def schedule(self) -> Schedule:
        """The path's schedule. Raises UnknownSchedule, Forbidden."""
        name = f"{self.param('app')}/{self.param('name')}"
        if self.caller.queues is not None:
            queues = (one.job_type.queue.name for one in self.schedules() if one.key == name)
            self.caller.require_queue(next(queues, None))
        return self.deployment.registry.schedule(name)

    def job(self) -> tuple[Queue, str]:
        """The queue and the local id of the path's job. Raises JobNotFound, UnknownQueue,
        Forbidden."""
        return self.locate(self.param("id"))

    def locate(self, job_id: str) -> tuple[Queue, str]:
        """The queue of a public id and the id within it. Raises JobNotFound, UnknownQueue,
        Forbidden."""
        if self.caller.queues is not None:
            parts = split_id(job_id)
            self.caller.require_queue(parts[1] if parts else None)
            self.queue_of(parts[1] if parts else "")
        return self.deployment.locate(job_id)

    def require_reach(self) -> None:
        """For a caller that is limited to some queues. Raises Forbidden where the path names none
        of them."""
        named = self.request.path_params.keys()
        if "queue" in named:
            self.caller.require_queue(self.param("queue"))
        elif "id" in named:
            parts = split_id(self.param("id"))
            self.caller.require_queue(parts[1] if parts else None)
        elif "app" in named:
            self.schedule()
        else:
            self.caller.require_queue(None)

    def require_own(self, view: JobView) -> None:
        """Raises JobNotFound, as for a job that does not exist, where the caller sees only its own
        jobs and this is none."""
        if self.caller.reads_only_own("read") and view.by != self.caller.subject:
            raise job_not_found(view.id)

    def may_read_payloads(self) -> bool:
        """True for a caller that sees what jobs carry: payloads, and results that are not
        public."""
        return "payloads" in self.caller.rights

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
