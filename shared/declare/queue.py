"""Queues and job types: names, numbers and handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ..jobs.ids import NAME_GRAMMAR, is_name
from ..jobs.job import PRIORITIES, Enqueued, Job, Priority, all_stored
from .default_store import default_store
from .handler import Handler, Shape, shape_of
from .options import Options, make_job
from .policy import RateLimit, Retention, Retry, require

LONGEST_WINDOW = 900.0
"""Seconds: the longest time any function host gives one invocation (AWS Lambda's limit)."""
LONGEST_RESERVE = 3.0
PAYLOAD_LIMIT = 256 * 1024
MAX_JOBS = 1_000_000
MAX_BYTES = 48 * 2**20
"""Bounds of a queue by default, the bytes for each shard: half of the largest entry (100 MB) on
Upstash's smaller plans. The rest is for results and errors, which grow after the enqueue."""
MOST_SHARDS = 32
P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class JobType(Generic[P]):
    """A handler under its name. Call it like the function it wraps; `enqueue` it to have it run."""

    name: str
    queue: Queue
    model: type[P]
    handler: Handler
    timeout: float
    retry: Retry
    shape: Shape
    public_result: bool = False

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
            self.queue.shards,
        )

    async def enqueue(self, payload: P, **options: Any) -> Enqueued:
        """Store one job and say what now stands for it. Options as for `job`."""
        return (await self.enqueue_many([self.job(payload, **options)]))[0]

    async def enqueue_many(self, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs made by `job`, some 500 a request; one answer each, in order. Raises QueueFull
        where the queue had no room for some of them; its `answers` tell which."""
        from .sync import run_in_drain  # noqa: PLC0415 - asyncio, which a declaration does not need

        async def store() -> list[Enqueued]:
            return await default_store().enqueue(self.queue, jobs)  # that of the loop it runs in

        return all_stored(await run_in_drain(store))

    def enqueue_sync(self, payload: P, **options: Any) -> Enqueued:
        """`enqueue` for code without an event loop (`def` handlers, Flask, Django). It blocks."""
        return self.enqueue_many_sync([self.job(payload, **options)])[0]

    def enqueue_many_sync(self, jobs: Sequence[Job]) -> list[Enqueued]:
        """`enqueue_many` for code without an event loop. It blocks."""
        from .sync import run_blocking  # noqa: PLC0415 - as above

        return run_blocking(lambda: self.enqueue_many(jobs))


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
    max_jobs: int = MAX_JOBS
    max_bytes: int = MAX_BYTES
    shards: int = 1
    types: dict[str, JobType[Any]] = field(default_factory=dict, compare=False)

    @property
    def needs_threads(self) -> bool:
        """True if a handler is a plain `def`."""
        return any(not job_type.shape.is_async for job_type in self.types.values())

    def __post_init__(self) -> None:
        what = f"queue {self.name!r}"
        require(is_name(self.name), f"{what}: {NAME_GRAMMAR}")
        ok = self.concurrency is None or 1 <= self.concurrency <= 10_000
        require(ok, f"{what}: concurrency is 1 to 10000, or None")
        known = ", ".join(PRIORITIES)
        require(self.priority in PRIORITIES, f"{what}: priority is one of {known}")
        require(1 <= self.payload_limit <= 4 * 2**20, f"{what}: payload_limit is 1 byte to 4 MiB")
        ok = 1 <= self.shards <= MOST_SHARDS
        require(ok, f"{what}: shards is 1 to {MOST_SHARDS}; for more, split it into several queues")
        require(1 <= self.max_jobs <= 100_000_000, f"{what}: max_jobs is 1 to 100000000")
        require(1 <= self.max_bytes <= 2**40, f"{what}: max_bytes is 1 byte to 1 TiB")
        _check_timeout(self.timeout, what)

    def job(
        self,
        name: str,
        *,
        timeout: float | None = None,
        retry: Retry | None = None,
        public_result: bool = False,
    ) -> Callable[[Handler], JobType[Any]]:
        """Register the decorated handler for jobs of type `name`. `public_result`: over HTTP the
        role viewer sees what the handler returns, else only roles that see payloads.

        The annotation of its first parameter is the payload model. A second parameter, or one that
        is annotated so, receives the `JobContext`.
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
            shape = shape_of(handler)
            job_type = JobType(
                name, self, shape.model, handler, seconds, retry or self.retry, shape, public_result
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
