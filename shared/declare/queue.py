"""Queues and job types: names, numbers and handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel

from ..errors import ConfigurationError
from ..jobs.ids import NAME_GRAMMAR, is_name
from ..jobs.job import PRIORITIES, Enqueued, Job, Priority
from .default_store import default_store
from .options import Options, make_job
from .policy import RateLimit, Retention, Retry, require

LONGEST_WINDOW = 900.0
"""Seconds: the longest time any function host gives one invocation (AWS Lambda's limit)."""
LONGEST_RESERVE = 3.0
PAYLOAD_LIMIT = 256 * 1024
P = TypeVar("P", bound=BaseModel)
Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class JobType(Generic[P]):
    """A handler under its name. Call it like the function it wraps; `enqueue` it to have it run."""

    name: str
    queue: Queue
    model: type[P]
    handler: Handler
    timeout: float
    retry: Retry
    is_async: bool
    takes_context: bool

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The handler itself, for tests and direct use."""
        return self.handler(*args, **kwargs)

    def job(
        self,
        payload: P,
        *,
        delay: float = 0.0,
        run_at: float | None = None,
        priority: Priority | None = None,
        key: str | None = None,
        dedup: str | None = None,
        dedup_ttl: float | None = None,
        job_id: str | None = None,
    ) -> Job:
        """The job as a value, for `enqueue_many`. `run_at` is epoch seconds."""
        return make_job(
            self.name,
            payload.model_dump_json(),
            Options(delay, run_at, priority, key, dedup, dedup_ttl, job_id),
        )

    async def enqueue(self, payload: P, **options: Any) -> Enqueued:
        """Store one job and say what now stands for it. Options as for `job`."""
        return (await self.enqueue_many([self.job(payload, **options)]))[0]

    async def enqueue_many(self, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs made by `job`, some 500 a request; one answer each, in order."""
        return await default_store().enqueue(self.queue, jobs)


@dataclass(frozen=True, slots=True)
class Queue:
    """A name and its numbers; handlers are registered on it by job type."""

    name: str
    app: str
    concurrency: int | None
    limit: RateLimit | None
    retry: Retry
    priority: Priority
    timeout: float
    completed: Retention
    dead: Retention
    payload_limit: int
    types: dict[str, JobType[Any]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        what = f"queue {self.name!r}"
        require(is_name(self.name), f"{what}: {NAME_GRAMMAR}")
        ok = self.concurrency is None or 1 <= self.concurrency <= 10_000
        require(ok, f"{what}: concurrency is 1 to 10000, or None")
        known = ", ".join(PRIORITIES)
        require(self.priority in PRIORITIES, f"{what}: priority is one of {known}")
        require(1 <= self.payload_limit <= 4 * 2**20, f"{what}: payload_limit is 1 byte to 4 MiB")
        _check_timeout(self.timeout, what)

    def job(
        self, name: str, *, timeout: float | None = None, retry: Retry | None = None
    ) -> Callable[[Handler], JobType[Any]]:
        """Register the decorated handler for jobs of type `name`.

        Its first parameter's annotation is the payload model; a second one receives the
        `JobContext`.
        """
        require(
            bool(name) and len(name) <= 64 and name.isprintable(),
            f"job type {name!r}: 1 to 64 printable characters",
        )
        require(
            name not in self.types,
            f"job type {name!r} is declared twice on queue {self.name!r}; rename one",
        )

        def register(handler: Handler) -> JobType[Any]:
            seconds = self.timeout if timeout is None else timeout
            _check_timeout(seconds, f"job type {name!r}")
            model, takes_context = _signature(handler)
            job_type = JobType(
                name,
                self,
                model,
                handler,
                seconds,
                retry or self.retry,
                inspect.iscoroutinefunction(handler),
                takes_context,
            )
            self.types[name] = job_type
            return job_type

        return register


def _check_timeout(seconds: float, what: str) -> None:
    longest = LONGEST_WINDOW - LONGEST_RESERVE
    require(
        0 < seconds <= longest,
        f"{what}: timeout={seconds} s does not fit any function's window; "
        f"choose 0 < timeout <= {longest:.0f}, or split the job",
    )


def _signature(handler: Handler) -> tuple[type[BaseModel], bool]:
    """(payload model, does it take the JobContext too?)"""
    sentence = (
        f"handler {handler.__name__!r}: annotate its first parameter with a pydantic model, "
        "e.g. payload: CsvImport"
    )
    parameters = list(inspect.signature(handler).parameters)
    require(
        1 <= len(parameters) <= 2,
        f"handler {handler.__name__!r}: it takes the payload and, if wanted, the JobContext",
    )
    try:
        model = get_type_hints(handler).get(parameters[0])
    except NameError as error:
        raise ConfigurationError(
            f"{sentence} ({error}; define the model at module level)"
        ) from None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ConfigurationError(sentence)
    return model, len(parameters) == 2
