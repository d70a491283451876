"""What an application declares: apps, queues, job types and their numbers. Frozen, checked at import.

Times are seconds. A declaration that can't work is refused with a sentence that says what to change.
"""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel

from .errors import ConfigurationError, InvalidOption, UnknownQueue
from .job import PRIORITIES, Enqueued, Guard, Job, Priority, check_job_id, is_name, new_id

LONGEST_WINDOW = 900.0
"""Seconds: the longest time any function host gives one invocation (AWS Lambda's limit)."""
LONGEST_RESERVE = 3.0
LONGEST_DELAY = 366 * 86_400.0
MOST_ATTEMPTS = 100
PAYLOAD_LIMIT = 256 * 1024
KEY_LIMIT = 128

P = TypeVar("P", bound=BaseModel)
Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a job is tried and how long it waits in between.

    `attempts` counts every try, the first included: 3 attempts have 2 waits.
    """

    attempts: int = 3
    first: float = 1.0
    factor: float = 2.0
    cap: float = 3600.0
    jitter: float = 0.0
    steps: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _require(
            1 <= self.attempts <= MOST_ATTEMPTS,
            f"attempts={self.attempts}: choose 1 to {MOST_ATTEMPTS}",
        )
        _require(
            self.first >= 0 and math.isfinite(self.first),
            f"first={self.first}: a wait can't be negative",
        )
        _require(
            self.factor >= 1,
            f"factor={self.factor}: below 1 the waits would shrink; choose 1 or more",
        )
        _require(
            self.cap >= 0 and math.isfinite(self.cap),
            f"cap={self.cap}: choose the longest wait in seconds",
        )
        _require(0 <= self.jitter <= 1, f"jitter={self.jitter}: it is a share of the wait, 0 to 1")
        _require(
            all(w >= 0 and math.isfinite(w) for w in self.steps), "waits: none may be negative"
        )

    @classmethod
    def fixed(cls, *, attempts: int = 3, wait: float = 1.0, jitter: float = 0.0) -> Retry:
        """The same wait each time."""
        return cls(attempts=attempts, first=wait, factor=1.0, cap=max(wait, 0.0), jitter=jitter)

    @classmethod
    def exponential(
        cls,
        *,
        attempts: int = 3,
        first: float = 1.0,
        factor: float = 2.0,
        cap: float = 3600.0,
        jitter: float = 0.1,
    ) -> Retry:
        """`first`, `first·factor`, `first·factor²`, …, at most `cap`."""
        return cls(attempts=attempts, first=first, factor=factor, cap=cap, jitter=jitter)

    @classmethod
    def waits(cls, waits: Sequence[float], *, jitter: float = 0.0) -> Retry:
        """These waits, one after each failure: `[1, 5, 25]` makes four attempts."""
        _require(len(waits) > 0, "waits: name at least one wait, or use Retry.fixed(attempts=1)")
        return cls(
            attempts=len(waits) + 1,
            steps=tuple(float(w) for w in waits),
            cap=max(waits),
            jitter=jitter,
        )

    def wait(self, attempt: int, rng: Callable[[], float] = random.random) -> float:
        """Seconds to wait after failed attempt number `attempt` (1 is the first).

        Jitter only shortens a wait: the result lies in `[(1 - jitter)·w, w]`.
        """
        if self.steps:
            base = self.steps[min(attempt, len(self.steps)) - 1]
        else:
            exponent = min(attempt - 1, 1024)
            base = min(
                self.cap, self.first * self.factor**exponent if self.factor > 1 else self.first
            )
        return base * (1 - self.jitter * rng())


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `rate` starts `per` seconds, over all functions together, after a burst of `burst`.

    A token bucket: in any window of w seconds at most `burst + rate·w/per` jobs start.
    """

    rate: int
    per: float = 1.0
    burst: int = 0

    def __post_init__(self) -> None:
        if self.burst == 0:
            object.__setattr__(self, "burst", self.rate)
        _require(self.rate >= 1, f"rate={self.rate}: choose 1 or more, or pause the queue instead")
        _require(
            self.burst >= 1,
            f"burst={self.burst}: below one no job could ever start; choose 1 or more",
        )
        _require(0.001 <= self.per <= 86_400, f"per={self.per}: choose 0.001 to 86400 seconds")
        _require(
            self.rate <= 1_000_000 and self.burst <= 1_000_000, "rate and burst: at most 1000000"
        )

    @property
    def per_ms(self) -> int:
        return round(self.per * 1000)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended jobs stay readable: the youngest `count`, and none older than `age` seconds."""

    count: int = 1000
    age: float = 7 * 86_400.0

    def __post_init__(self) -> None:
        _require(0 <= self.count <= 1_000_000, f"count={self.count}: choose 0 to 1000000")
        _require(0 < self.age <= 10 * LONGEST_DELAY, f"age={self.age}: choose seconds above 0")


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
            self,
            payload.model_dump_json(),
            Options(delay, run_at, priority, key, dedup, dedup_ttl, job_id),
        )

    async def enqueue(self, payload: P, **options: Any) -> Enqueued:
        """Store one job and say what now stands for it. Options as for `job`."""
        return (await self.enqueue_many([self.job(payload, **options)]))[0]

    async def enqueue_many(self, jobs: Sequence[Job]) -> list[Enqueued]:
        """Store jobs made by `job`, some 500 a request; one answer each, in order."""
        from .connect import current_store  # a declaration must be importable without a store

        return await current_store().enqueue(self.queue, jobs)


@dataclass(frozen=True, slots=True)
class Options:
    """What an enqueue may say about one job. Seconds; `run_at` is epoch seconds."""

    delay: float = 0.0
    run_at: float | None = None
    priority: Priority | None = None
    key: str | None = None
    dedup: str | None = None
    dedup_ttl: float | None = None
    job_id: str | None = None
    idempotency: Guard | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


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

    def job(
        self, name: str, *, timeout: float | None = None, retry: Retry | None = None
    ) -> Callable[[Handler], JobType[Any]]:
        """Register the decorated handler for jobs of type `name`.

        Its first parameter's annotation is the payload model; a second one receives the `JobContext`.
        """
        _require(
            bool(name) and len(name) <= 64 and name.isprintable(),
            f"job type {name!r}: 1 to 64 printable characters",
        )
        _require(
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


class App:
    """One application: a name and its queues."""

    def __init__(self, name: str) -> None:
        _require(
            is_name(name),
            f"application {name!r}: use a-z, 0-9, '.', '_', '-'; start with a letter or digit; at most 64",
        )
        self.name = name
        self.queues: dict[str, Queue] = {}

    def queue(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        limit: RateLimit | None = None,
        retry: Retry | None = None,
        priority: Priority = "normal",
        timeout: float = 60.0,
        completed: Retention | None = None,
        dead: Retention | None = None,
        payload_limit: int = PAYLOAD_LIMIT,
    ) -> Queue:
        """Declare a queue. `concurrency` is global: all functions together."""
        _require(
            is_name(name),
            f"queue {name!r}: use a-z, 0-9, '.', '_', '-'; start with a letter or digit; at most 64",
        )
        _require(
            name not in self.queues,
            f"queue {name!r} is declared twice in {self.name!r}; rename one",
        )
        _require(
            concurrency is None or 1 <= concurrency <= 10_000,
            f"queue {name!r}: concurrency is 1 to 10000, or None",
        )
        _require(
            priority in PRIORITIES, f"queue {name!r}: priority is one of {', '.join(PRIORITIES)}"
        )
        _require(
            1 <= payload_limit <= 4 * 2**20, f"queue {name!r}: payload_limit is 1 byte to 4 MiB"
        )
        _check_timeout(timeout, f"queue {name!r}")
        self.queues[name] = Queue(
            name=name,
            app=self.name,
            concurrency=concurrency,
            limit=limit,
            retry=retry or Retry.exponential(),
            priority=priority,
            timeout=timeout,
            completed=completed or Retention(),
            dead=dead or Retention(),
            payload_limit=payload_limit,
        )
        return self.queues[name]


class Registry:
    """All queues a process serves, by name, in drain order: by priority, then as declared."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._queues: dict[str, Queue] = {}
        for app in apps:
            for queue in app.queues.values():
                other = self._queues.get(queue.name)
                _require(
                    other is None,
                    f"queue {queue.name!r} is declared by {queue.app!r} and by {other.app if other else ''!r}; rename one",
                )
                self._queues[queue.name] = queue

    def queue(self, name: str) -> Queue:
        """The queue of that name, or UnknownQueue."""
        found = self._queues.get(name)
        if found is None:
            known = ", ".join(sorted(self._queues)) or "none"
            raise UnknownQueue(f"no queue {name[:80]!r}; known: {known}")
        return found

    def queues(self) -> list[Queue]:
        """Every queue, most urgent first."""
        return sorted(self._queues.values(), key=lambda queue: PRIORITIES.index(queue.priority))


def make_job(job_type: JobType[Any], payload: str, options: Options) -> Job:
    """Options checked and turned into a `Job`. Raises InvalidOption naming the field."""
    return Job(
        type=job_type.name,
        payload=payload,
        id=new_id() if options.job_id is None else check_job_id(options.job_id),
        priority=options.priority or "normal",
        delay_ms=_delay_ms(options.delay, "delay"),
        run_at_ms=0 if options.run_at is None else _instant_ms(options.run_at),
        key=_key(options.key),
        dedup=_dedup(options),
        idempotency=options.idempotency,
        meta=options.meta,
    )


def _delay_ms(seconds: float, name: str) -> int:
    if not 0 <= seconds <= LONGEST_DELAY:  # NaN fails both comparisons
        raise InvalidOption(f"{name}: 0 to {LONGEST_DELAY:.0f} seconds", name)
    return round(seconds * 1000)


def _instant_ms(epoch: float) -> int:
    if not 0 <= epoch < 253_402_300_800:  # the year 10000
        raise InvalidOption("run_at: an instant before the year 10000", "run_at")
    return max(1, round(epoch * 1000))


def _key(key: str | None) -> str:
    if key is None:
        return "-"
    if (
        not key
        or len(key) > KEY_LIMIT
        or any(not c.isprintable() or c.isspace() for c in key)
        or key == "-"
    ):
        raise InvalidOption(f"key: 1 to {KEY_LIMIT} printable characters without spaces", "key")
    return key


def _dedup(options: Options) -> Guard | None:
    if options.dedup is None:
        return None
    if (
        not options.dedup
        or len(options.dedup) > KEY_LIMIT
        or any(not c.isprintable() or c.isspace() for c in options.dedup)
    ):
        raise InvalidOption(f"dedup: 1 to {KEY_LIMIT} printable characters without spaces", "dedup")
    ttl = 0 if options.dedup_ttl is None else max(1, _delay_ms(options.dedup_ttl, "dedup.ttl"))
    return Guard(f"dedup:{options.dedup}", ttl)


def _check_timeout(seconds: float, what: str) -> None:
    longest = LONGEST_WINDOW - LONGEST_RESERVE
    _require(
        0 < seconds <= longest,
        f"{what}: timeout={seconds} s does not fit any function's window; choose 0 < timeout <= {longest:.0f}, or split the job",
    )


def _signature(handler: Handler) -> tuple[type[BaseModel], bool]:
    """(payload model, does it take the JobContext too?)"""
    sentence = f"handler {handler.__name__!r}: annotate its first parameter with a pydantic model, e.g. payload: CsvImport"
    parameters = list(inspect.signature(handler).parameters)
    _require(
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


def _require(condition: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion with a sentence
    if not condition:
        raise ConfigurationError(sentence)
