"""Handlers of ends: job types whose jobs follow the completed or dead ones of another job type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Concatenate, Protocol, TypedDict, TypeVar

from pydantic import BaseModel

from ..checks import require
from ..jobs.follow_ups import Event
from .handler import Handler, name_of, shape_of

if TYPE_CHECKING:
    from .ends import Completed, Dead
    from .policy import Retry
    from .queue import JobType, Queue

P = TypeVar("P", bound=BaseModel)


@dataclass(slots=True)
class Followers:
    """The job types of the handlers `on_completed` and `on_dead` of one job type."""

    completed: list[JobType[Any]] = field(default_factory=list)
    dead: list[JobType[Any]] = field(default_factory=list)

    def of(self, event: Event) -> list[JobType[Any]]:
        """Those of this end."""
        return self.completed if event == "completed" else self.dead


class FollowerOptions(TypedDict, total=False):
    """Options of `on_completed` and `on_dead`; those that are left out are the queue's."""

    queue: Queue
    name: str
    timeout: float
    retry: Retry


class FollowCompleted(Protocol[P]):
    """The decorator that `on_completed(…)` makes."""

    def __call__(
        self, handler: Callable[Concatenate[Completed[P], ...], Any], /
    ) -> JobType[Completed[P]]: ...


class FollowDead(Protocol[P]):
    """The decorator that `on_dead(…)` makes."""

    def __call__(
        self, handler: Callable[Concatenate[Dead[P], ...], Any], /
    ) -> JobType[Dead[P]]: ...


def follow(
    parent: JobType[Any], event: Event, handler: Handler | None, options: FollowerOptions
) -> Any:
    """Register a handler for an end of `parent`: its job type, or without a handler the decorator
    that does. Raises ConfigurationError."""
    if handler is None:
        return lambda handler: _register(parent, event, handler, options)
    return _register(parent, event, handler, options)


def _register(
    parent: JobType[Any], event: Event, handler: Handler, options: FollowerOptions
) -> JobType[Any]:
    from .ends import Completed, Dead  # noqa: PLC0415 - models: most applications need none

    ended: Any = Completed if event == "completed" else Dead
    require(
        issubclass(shape_of(handler).model, ended[parent.model]),
        f"handler {name_of(handler)!r}: annotate its first parameter with "
        f"{ended.__name__}[{parent.model.__name__}]",
    )
    queue = options.get("queue", parent.queue)
    require(
        bool(queue.encrypt) or not parent.queue.encrypt,
        f"handler {name_of(handler)!r}: it is given payloads of queue {parent.queue.name!r}, which "
        f"encrypts them: declare queue {queue.name!r} with encrypt, too",
    )
    register = queue.job(
        options.get("name", f"{parent.name}.{event}"),
        timeout=options.get("timeout"),
        retry=options.get("retry"),
    )
    job_type: JobType[Any] = replace(register(handler), follows=True)
    queue.types[job_type.name] = job_type
    parent.followers.of(event).append(job_type)
    return job_type
