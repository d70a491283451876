"""The numbers of a queue: retries, rate limits, retention. Frozen values, checked when made."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from ..checks import check_fields, checked, require
from ..errors import LONGEST_DELAY

MOST_ATTEMPTS = 100
LARGEST_FACTOR = 1000.0
LONGEST_WINDOW = 900.0
"""Seconds: the longest time any function host gives one invocation (AWS Lambda's limit)."""
LONGEST_RESERVE = 3.0
"""Seconds: the longest part of a window that is kept for settles."""
LEAST_MEMORY = 64 * 2**20
"""Bytes: an interpreter with a small application needs about half of them."""
LONGEST_TIMEOUT = LONGEST_WINDOW - LONGEST_RESERVE

Encrypt: TypeAlias = bool | Literal["new"]
"""The option of a queue. True: all its jobs are encrypted, and a plain one does not run. "new": new
jobs are encrypted, plain ones still run. False: new jobs are plain, encrypted ones still run."""

IfLimited: TypeAlias = Literal["defer", "refuse"]
"""What becomes of a job whose key has used up its rate: it waits, or its enqueue is refused. Then
the rate counts enqueues and not starts."""


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
        check_fields(self, Retry, "Retry")
        ok = 1 <= self.attempts <= MOST_ATTEMPTS
        require(ok, f"Retry: attempts={self.attempts}: choose 1 to {MOST_ATTEMPTS}")
        require(
            0 <= self.first <= LONGEST_DELAY,
            f"Retry: first={self.first}: choose a wait of 0 to {LONGEST_DELAY:.0f} seconds",
        )
        require(
            1 <= self.factor <= LARGEST_FACTOR,
            f"Retry: factor={self.factor}: choose 1 to {LARGEST_FACTOR:.0f}; below 1 the waits "
            "would shrink",
        )
        ok = all(0 <= wait <= LONGEST_DELAY for wait in self.steps)
        require(ok, f"Retry: waits: each from 0 to {LONGEST_DELAY:.0f} seconds")
        require(
            0 <= self.cap <= LONGEST_DELAY,
            f"Retry: cap={self.cap}: choose the longest wait, 0 to {LONGEST_DELAY:.0f} seconds",
        )
        require(
            len(self.steps) < self.attempts,
            f"Retry: {self.attempts} attempts have {self.attempts - 1} waits, and "
            f"{len(self.steps)} are named: leave the last out, or declare "
            f"attempts={len(self.steps) + 1}",
        )
        ok = 0 <= self.jitter <= 1
        require(ok, f"Retry: jitter={self.jitter}: it is a share of the wait, 0 to 1")

    @classmethod
    @checked
    def fixed(cls, *, attempts: int = 3, wait: float = 1.0, jitter: float = 0.0) -> Retry:
        """The same wait each time."""
        return cls(attempts=attempts, first=wait, factor=1.0, cap=max(wait, 0.0), jitter=jitter)

    @classmethod
    @checked
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
    @checked
    def waits(cls, waits: Sequence[float], *, jitter: float = 0.0) -> Retry:
        """These waits, one after each failure: `[1, 5, 25]` makes four attempts."""
        ok = len(waits) > 0
        require(ok, "Retry.waits: name at least one wait, or use Retry.fixed(attempts=1)")
        return cls(
            attempts=len(waits) + 1,
            steps=tuple(float(w) for w in waits),
            cap=max(waits),
            jitter=jitter,
        )

    def delay_after(self, attempt: int, rng: Callable[[], float] = random.random) -> float:
        """Seconds to wait after failed attempt number `attempt` (1 is the first).

        Jitter only shortens a wait: the result lies in `[(1 - jitter)·w, w]`.
        """
        if self.steps:
            base = self.steps[min(attempt, len(self.steps)) - 1]
        else:
            base = min(self.cap, self.first * self._growth(attempt - 1)) if self.first else 0.0
        return base * (1 - self.jitter * rng())

    @property
    def shortest(self) -> float:
        """Seconds of the shortest wait that it can make."""
        waits = self.steps or (min(self.cap, self.first),)
        return min(waits) * (1 - self.jitter)

    def backoff(self) -> dict[str, Any]:
        """The waits as JSON values, for `with_overrides`."""
        waits: dict[str, Any] = {"jitter": self.jitter}
        if self.steps:
            return {**waits, "steps": list(self.steps)}
        return {**waits, "first": self.first, "factor": self.factor, "cap": self.cap}

    def with_overrides(self, overrides: Mapping[str, Any]) -> Retry:
        """This policy with a job's own `attempts` and `backoff`. Raises ConfigurationError."""
        retry, backoff = self, overrides.get("backoff")
        if backoff is not None:
            steps = tuple(backoff.get("steps", ()))
            retry = Retry(
                **{
                    **backoff,
                    "steps": steps,
                    "attempts": len(steps) + 1 if steps else self.attempts,
                }
            )
        attempts = overrides.get("attempts")
        if attempts is None:
            return retry
        return replace(retry, attempts=attempts, steps=retry.steps[: attempts - 1])

    def _growth(self, times: int) -> float:
        try:
            return self.factor**times
        except OverflowError:
            return math.inf


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `rate` starts `per` seconds, over all functions together, after a burst of `burst`.

    A token bucket: in any window of w seconds at most `burst + rate·w/per` jobs start.
    """

    rate: int
    per: float = 1.0
    burst: int = 0

    def __post_init__(self) -> None:
        check_fields(self, RateLimit, "RateLimit")
        if self.burst == 0:
            object.__setattr__(self, "burst", self.rate)
        require(
            self.rate >= 1,
            f"RateLimit: rate={self.rate}: choose 1 or more, or pause the queue instead",
        )
        require(
            self.burst >= 1,
            f"RateLimit: burst={self.burst}: below one no job could ever start; choose 1 or more",
        )
        ok = 0.001 <= self.per <= 86_400
        require(ok, f"RateLimit: per={self.per}: choose 0.001 to 86400 seconds")
        require(
            self.rate <= 1_000_000 and self.burst <= 1_000_000,
            "RateLimit: rate and burst: at most 1000000",
        )

    @property
    def per_ms(self) -> int:
        return round(self.per * 1000)

    def seconds_until(self, number: int, level: int) -> float:
        """Seconds until the token of the `number`th job of a claim (1 is the first), from a bucket
        that held `level` units: a token is `per_ms` units, each millisecond adds `rate`."""
        missing = number * self.per_ms - level
        return max(0, -(-missing // self.rate)) / 1000


MOST_STARTS_A_MS = 100
"""Starts of one key in a millisecond: rounding costs less than a twentieth of a rate."""


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """Limits of each key of a queue's jobs, for example of each user: at most `rate` starts, and at
    most `concurrency` jobs that run at once, over all functions together."""

    rate: RateLimit | None = None
    concurrency: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, KeyLimit, "KeyLimit")
        rate, concurrency = self.rate, self.concurrency
        require(
            rate is not None or concurrency is not None,
            "KeyLimit: give rate=RateLimit(...), concurrency=..., or both",
        )
        require(
            concurrency is None or 1 <= concurrency <= 10_000,
            f"KeyLimit: concurrency={concurrency}: choose 1 to 10000, or None",
        )
        require(
            rate is None or rate.rate <= MOST_STARTS_A_MS * rate.per_ms,
            f"KeyLimit: a key's rate is at most {MOST_STARTS_A_MS} a millisecond",
        )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended jobs stay readable: the youngest `count`, none older than `age` seconds."""

    count: int = 1000
    age: float = 7 * 86_400.0

    def __post_init__(self) -> None:
        check_fields(self, Retention, "Retention")
        require(0 <= self.count <= 1_000_000, f"Retention: count={self.count}: choose 0 to 1000000")
        ok = 0 < self.age <= 10 * LONGEST_DELAY
        require(ok, f"Retention: age={self.age}: choose seconds above 0")

    @property
    def age_ms(self) -> int:
        return round(self.age * 1000)


@dataclass(frozen=True, slots=True)
class Overrides:
    """How far an enqueue may go: at most `attempts`, a `timeout` of at most these seconds, waits of
    at least `backoff` seconds; None: its job type's own numbers. A deduplication name is held for
    at most `dedup_ttl` seconds: all names of a queue share one entry of the store."""

    attempts: int | None = None
    timeout: float | None = None
    backoff: float | None = None
    dedup_ttl: float = 31 * 86_400.0

    def __post_init__(self) -> None:
        check_fields(self, Overrides, "Overrides")
        attempts, backoff = self.attempts, self.backoff
        require(
            attempts is None or 1 <= attempts <= MOST_ATTEMPTS,
            f"Overrides: attempts={attempts}: choose 1 to {MOST_ATTEMPTS}, or None",
        )
        require(
            backoff is None or 0 <= backoff <= LONGEST_DELAY,
            f"Overrides: backoff={backoff}: choose a wait of 0 to {LONGEST_DELAY:.0f} seconds, "
            "or None",
        )
        if self.timeout is not None:
            check_timeout(self.timeout, "Overrides")
        ok = 0 < self.dedup_ttl <= LONGEST_DELAY
        require(ok, f"Overrides: dedup_ttl={self.dedup_ttl}: choose at most {LONGEST_DELAY:.0f} s")


@dataclass(frozen=True, slots=True)
class Isolation:
    """A handler runs in a child process. `memory`: the most bytes of memory of its own that this
    process may take, the interpreter included (on Linux); None: any."""

    memory: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, Isolation, "Isolation")
        ok = self.memory is None or LEAST_MEMORY <= self.memory <= 2**40
        require(ok, f"Isolation: memory={self.memory} bytes; choose {LEAST_MEMORY} to 2**40")


def isolation_of(isolate: bool | Isolation) -> Isolation | None:  # noqa: FBT001 - a value
    """The value of a declaration's `isolate=`."""
    if isinstance(isolate, Isolation):
        return isolate
    return Isolation() if isolate else None


def check_timeout(seconds: float, what: str) -> None:
    """Raise ConfigurationError where no function gives one attempt this time."""
    require(
        0 < seconds <= LONGEST_TIMEOUT,
        f"{what}: timeout={seconds} s does not fit any function's window; "
        f"choose 0 < timeout <= {LONGEST_TIMEOUT:.0f}, or split the job",
    )
