"""Queues and job types: names, numbers and handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Protocol, TypeVar, Unpack, overload

from pydantic import BaseModel

from ..checks import check_fields, check_function, checked, require
from ..errors import InvalidRequest, JobNotFound
from ..jobs.failure import FailureHook
from ..jobs.ids import NAME_GRAMMAR, is_name, new_id, public_id, split_id
from ..jobs.job import EnqueueAnswer, Job, Priority, all_stored, one_stored
from .default_store import default_store
from .followers import FollowCompleted, FollowDead, FollowerOptions, Followers, follow
from .handle import JobHandle
from .handler import Handler, Shape, shape_of
from .key import NO_KEY, KeyFunction, key_of
from .options import JobOptions
from .payload import text_of
from .policy import (
    Encrypt,
    IfLimited,
    Isolation,
    KeyLimit,
    Overrides,
    RateLimit,
    Retention,
    Retry,
    check_timeout,
    isolation_of,
)
from .sync import run_blocking, run_in_drain

if TYPE_CHECKING:
    from .ends import Completed, Dead

DEFAULT_PAYLOAD_LIMIT = 256 * 1024
DEFAULT_MAX_JOBS = 1_000_000
DEFAULT_MAX_BYTES = 48 * 2**20
"""Bounds of a queue by default, the bytes for each shard: half of the largest entry (100 MB) on
Upstash's smaller plans. The rest is for results and errors, which grow after the enqueue."""
MOST_ENCRYPTED = 3 * 2**20
"""Bytes of a payload that is encrypted: base64 makes four of three."""
MOST_SHARDS = 32
P = TypeVar("P", bound=BaseModel)


class Register(Protocol):
    """The decorator that `Queue.job` makes. The job type takes the handler's payload model."""

    @overload
    def __call__(self, handler: Callable[Concatenate[P, ...], Any], /) -> JobType[P]: ...
    @overload
    def __call__(self, handler: Handler, /) -> JobType[Any]: ...


@dataclass(frozen=True, slots=True)
class JobType(Generic[P]):
    """A handler under its name. Call it like the function it wraps; `enqueue` it to have it run.

    `follows`: it is a handler of ends. Only the application's own code enqueues its jobs, or a
    caller could tell it of ends that never were."""

    name: str
    queue: Queue
    model: type[P]
    handler: Handler
    timeout: float
    retry: Retry
    shape: Shape
    public_result: bool = False
    key: KeyFunction | None = None
    followers: Followers = field(default_factory=Followers, compare=False)
    isolate: Isolation | None = None
    follows: bool = False

    @property
    def needs_thread(self) -> bool:
        """True for a plain `def` handler, unless it has a process of its own."""
        return not self.shape.is_async and self.isolate is None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The handler itself, for tests and direct use."""
        return self.handler(*args, **kwargs)

    def job(self, payload: P, **options: Unpack[JobOptions]) -> Job:
        """The job as a value, for `enqueue_many`. Raises InvalidPayload, PayloadTooLarge and
        InvalidOption, each of which names the field."""
        text = text_of(self, payload)
        if not options:
            local = new_id(self.queue.shards, len(text))
            key = NO_KEY if self.key is None else key_of(self, payload)
            return Job(self.name, text, local, key=key, queue=self.queue.name)
        from .make_job import make_job_of  # noqa: PLC0415 - models, built once, on use

        return make_job_of(self, text, payload, options)

    async def enqueue(self, payload: P, **options: Unpack[JobOptions]) -> JobHandle:
        """Store one job. The handle is of the job that now stands for it. Raises as `job` does,
        QueueFull, IdempotencyMismatch and StoreError."""
        (answer,) = await self._store([self.job(payload, **options)])
        return JobHandle.of(self.queue, one_stored(answer))

    async def enqueue_many(self, jobs: Iterable[Job]) -> list[JobHandle]:
        """Store jobs made by `job`, some 500 a request; one handle each, in order. Raises QueueFull
        or IdempotencyMismatch where some were not stored; its `answers` tell which."""
        answers = all_stored(await self._store(list(jobs)))
        return [JobHandle.of(self.queue, answer) for answer in answers]

    def enqueue_sync(self, payload: P, **options: Unpack[JobOptions]) -> JobHandle:
        """`enqueue` for code without an event loop (`def` handlers, Flask, Django). It blocks."""
        return run_blocking(lambda: self.enqueue(payload, **options), "enqueue")

    def enqueue_many_sync(self, jobs: Iterable[Job]) -> list[JobHandle]:
        """`enqueue_many` for code without an event loop. It blocks."""
        return run_blocking(lambda: self.enqueue_many(jobs), "enqueue_many")

    @overload
    def on_completed(
        self, handler: Callable[Concatenate[Completed[P], ...], Any], /
    ) -> JobType[Completed[P]]: ...
    @overload
    def on_completed(self, /, **options: Unpack[FollowerOptions]) -> FollowCompleted[P]: ...
    def on_completed(
        self, handler: Handler | None = None, /, **options: Unpack[FollowerOptions]
    ) -> Any:
        """Register the decorated handler for each job of this type that completes. It is a job of
        its own, of type "<this type>.completed" unless `name` says otherwise, on this type's queue
        or on `queue`. Its payload model is `Completed` of this type's model."""
        return follow(self, "completed", handler, options)

    @overload
    def on_dead(self, handler: Callable[Concatenate[Dead[P], ...], Any], /) -> JobType[Dead[P]]: ...
    @overload
    def on_dead(self, /, **options: Unpack[FollowerOptions]) -> FollowDead[P]: ...
    def on_dead(self, handler: Handler | None = None, /, **options: Unpack[FollowerOptions]) -> Any:
        """`on_completed` for each job of this type that becomes a dead letter; the model is `Dead`
        of this type's model."""
        return follow(self, "dead", handler, options)

    async def _store(self, jobs: Sequence[Job]) -> list[EnqueueAnswer]:
        for job in jobs:
            self._check_origin(job)

        async def store() -> list[EnqueueAnswer]:
            return await default_store().enqueue(self.queue, jobs)  # that of the loop it runs in

        return await run_in_drain(store)

    def _check_origin(self, job: object) -> None:
        if not isinstance(job, Job):
            name = type(job).__name__
            raise InvalidRequest(f"enqueue_many takes jobs made by job(payload), not {name}")
        if job.queue not in ("", self.queue.name):
            raise InvalidRequest(
                f"a job {job.type!r} of queue {job.queue!r} can't go on queue {self.queue.name!r}"
            )


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
    dead: Retention | None
    payload_limit: int
    max_jobs: int = DEFAULT_MAX_JOBS
    max_bytes: int = DEFAULT_MAX_BYTES
    shards: int = 1
    encrypt: Encrypt = False
    overrides: Overrides = field(default_factory=Overrides)
    per_key: KeyLimit | None = None
    if_limited: IfLimited = "defer"
    types: dict[str, JobType[Any]] = field(default_factory=dict, compare=False)
    failure_hooks: Sequence[FailureHook] = field(default=(), compare=False)
    """Those of the queue's application."""

    @property
    def refused_rate(self) -> RateLimit | None:
        """The rate of each key beyond which an enqueue is refused; None where none is."""
        return self.per_key.rate if self.per_key and self.if_limited == "refuse" else None

    @property
    def may_take_ahead(self) -> bool:
        """True if a turn may take the queue's tokens ahead of their time. A start that also takes a
        token of its key takes it at its claim, so the job must not wait after that."""
        limits_starts = self.per_key and self.per_key.rate and self.if_limited == "defer"
        return self.limit is not None and not limits_starts

    @property
    def open_types(self) -> dict[str, JobType[Any]]:
        """The job types whose jobs anyone may ask for, who may enqueue here."""
        return {name: one for name, one in self.types.items() if not one.follows}

    def __post_init__(self) -> None:
        what = f"queue {self.name!r:.80}"
        check_fields(self, Queue, what)
        require(is_name(self.name), f"{what}: {NAME_GRAMMAR}")
        ok = self.concurrency is None or 1 <= self.concurrency <= 10_000
        require(ok, f"{what}: concurrency is 1 to 10000, or None")
        require(1 <= self.payload_limit <= 4 * 2**20, f"{what}: payload_limit is 1 byte to 4 MiB")
        ok = 1 <= self.shards <= MOST_SHARDS
        require(ok, f"{what}: shards is 1 to {MOST_SHARDS}; for more, split it into several queues")
        require(1 <= self.max_jobs <= 100_000_000, f"{what}: max_jobs is 1 to 100000000")
        require(1 <= self.max_bytes <= 2**40, f"{what}: max_bytes is 1 byte to 1 TiB")
        ok = self.if_limited == "defer" or (self.per_key is not None and bool(self.per_key.rate))
        require(ok, f"{what}: if_limited='refuse' needs per_key=KeyLimit(rate=RateLimit(...))")
        check_timeout(self.timeout, what)
        fits = not self.encrypt or self.payload_limit <= MOST_ENCRYPTED
        require(fits, f"{what}: with encrypt the payload_limit is at most 3 MiB")

    @checked
    def job(
        self,
        name: str,
        *,
        timeout: float | None = None,
        retry: Retry | None = None,
        public_result: bool = False,
        isolate: bool | Isolation = False,
        key: KeyFunction | None = None,
    ) -> Register:
        """Register the decorated handler for jobs of type `name`. `public_result`: over HTTP the
        role viewer sees what the handler returns, else only roles that see payloads. `isolate`: it
        runs in a child process, which can be killed; `Isolation(memory=…)` bounds its memory.
        `key`: makes a job's key of its payload, for the queue's `per_key`.

        The annotation of its first parameter is the payload model. A second parameter, or one that
        is annotated so, receives the `JobContext`.
        """
        self._check_type(name, key, public_result=public_result)
        seconds = self.timeout if timeout is None else timeout
        check_timeout(seconds, f"job type {name!r}")
        policy = self.retry if retry is None else retry
        isolation = isolation_of(isolate)

        def register(handler: Handler) -> JobType[Any]:
            shape = shape_of(handler)
            job_type = JobType(
                name, self, shape.model, handler, seconds, policy, shape,
                public_result=public_result, key=key, isolate=isolation,
            )  # fmt: skip
            self.types[name] = job_type
            return job_type

        return register

    def _check_type(self, name: str, key: KeyFunction | None, *, public_result: bool) -> None:
        what = f"job type {name!r}"
        ok = 1 <= len(name) <= 64 and name.isprintable() and name == name.strip()
        require(ok, f"job type {name!r:.80}: 1 to 64 printable characters, no space at either end")
        new = name not in self.types
        require(new, f"{what} is declared twice on queue {self.name!r}; rename one")
        require(
            not (public_result and self.encrypt),
            f"{what}: public_result shows what queue {self.name!r} encrypts; leave it out, or "
            "declare the type on another queue",
        )
        if key is not None:
            check_function(key, "the payload", f"{what}: key")

    def handle(self, job_id: str) -> JobHandle:
        """The handle of a job of this queue, by the id that its enqueue answered or by the caller's
        own `job_id`. Contacts nothing. Raises JobNotFound where it can't be one of this queue."""
        parts = split_id(job_id if "." in job_id else public_id(job_id, self.name))
        if parts is None or parts[1] != self.name:
            raise JobNotFound(f"{job_id[:80]!r} is no job of queue {self.name!r}")
        return JobHandle(public_id(*parts), self)
