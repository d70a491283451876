"""Retry, RateLimit, Retention: what they compute, and each contradiction in its sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ConfigurationError, RateLimit, Retention, Retry
from shared.errors import LONGEST_DELAY

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTypes

SECONDS = st.floats(0, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Retry(attempts=0), "Retry: attempts=0: choose 1 to 100"),
        (lambda: Retry(attempts=101), "Retry: attempts=101: choose 1 to 100"),
        (lambda: Retry(first=-1), "Retry: first=-1: choose a wait of 0 to 31622400 seconds"),
        (lambda: Retry(first=math.inf), "Retry: first=inf: choose a wait of 0 to 31622400 seconds"),
        (lambda: Retry(first=math.nan), "Retry: first=nan: choose a wait of 0 to 31622400 seconds"),
        (
            lambda: Retry(factor=0.5),
            "Retry: factor=0.5: choose 1 to 1000; below 1 the waits would shrink",
        ),
        (
            lambda: Retry(factor=math.nan),
            "Retry: factor=nan: choose 1 to 1000; below 1 the waits would shrink",
        ),
        (lambda: Retry(cap=-1), "Retry: cap=-1: choose the longest wait, 0 to 31622400 seconds"),
        (
            lambda: Retry(cap=math.inf),
            "Retry: cap=inf: choose the longest wait, 0 to 31622400 seconds",
        ),
        (
            lambda: Retry(cap=math.nan),
            "Retry: cap=nan: choose the longest wait, 0 to 31622400 seconds",
        ),
        (lambda: Retry(jitter=1.5), "Retry: jitter=1.5: it is a share of the wait, 0 to 1"),
        (lambda: Retry(jitter=-0.1), "Retry: jitter=-0.1: it is a share of the wait, 0 to 1"),
        (
            lambda: Retry.waits([]),
            "Retry.waits: name at least one wait, or use Retry.fixed(attempts=1)",
        ),
        (lambda: Retry.waits([1, -1]), "Retry: waits: each from 0 to 31622400 seconds"),
        (
            lambda: Retry.waits([1, math.inf]),
            "Retry: waits: each from 0 to 31622400 seconds",
        ),
        (lambda: RateLimit(0), "RateLimit: rate=0: choose 1 or more, or pause the queue instead"),
        (
            lambda: RateLimit(5, burst=-1),
            "RateLimit: burst=-1: below one no job could ever start; choose 1 or more",
        ),
        (lambda: RateLimit(5, per=0), "RateLimit: per=0: choose 0.001 to 86400 seconds"),
        (lambda: RateLimit(5, per=86_401), "RateLimit: per=86401: choose 0.001 to 86400 seconds"),
        (lambda: RateLimit(5, per=math.nan), "RateLimit: per=nan: choose 0.001 to 86400 seconds"),
        (lambda: RateLimit(1_000_001), "RateLimit: rate and burst: at most 1000000"),
        (lambda: RateLimit(1_000_001, burst=1), "RateLimit: rate and burst: at most 1000000"),
        (lambda: RateLimit(5, burst=1_000_001), "RateLimit: rate and burst: at most 1000000"),
        (lambda: Retention(count=-1), "Retention: count=-1: choose 0 to 1000000"),
        (lambda: Retention(count=1_000_001), "Retention: count=1000001: choose 0 to 1000000"),
        (lambda: Retention(age=0), "Retention: age=0: choose seconds above 0"),
        (
            lambda: Retention(age=10 * LONGEST_DELAY + 1),
            "Retention: age=316224001.0: choose seconds above 0",
        ),
    ],
)
def test_each_contradiction_is_refused_with_what_to_change(make: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert str(caught.value) == sentence


def test_the_bounds_themselves_are_allowed() -> None:
    Retry(attempts=1, first=0, factor=1, cap=0, jitter=0)
    Retry(attempts=100, jitter=1, steps=(0.0,))
    RateLimit(1, per=0.001, burst=1)
    RateLimit(1_000_000, per=86_400)
    Retention(count=0, age=0.001)
    Retention(count=1_000_000, age=10 * LONGEST_DELAY)


def test_the_waits_of_the_requirements() -> None:
    assert [Retry.waits([1, 5, 25]).delay_after(n) for n in (1, 2, 3)] == [1, 5, 25]
    assert Retry.waits([1, 5, 25]).attempts == 4
    assert [Retry.fixed(wait=7).delay_after(n) for n in (1, 2, 50)] == [7, 7, 7]
    exponential = Retry.exponential(first=2, factor=3, cap=50, jitter=0, attempts=9)
    assert [exponential.delay_after(n) for n in (1, 2, 3, 4, 99)] == [2, 6, 18, 50, 50]


def test_a_retry_that_says_nothing_else_is_three_attempts_a_second_or_more_apart() -> None:
    fixed, exponential = Retry.fixed(), Retry.exponential()

    assert [fixed.attempts, *(fixed.delay_after(n) for n in (1, 2, 3))] == [3, 1, 1, 1]
    assert (exponential.attempts, Retry.exponential(attempts=9).attempts) == (3, 9)
    assert [exponential.delay_after(n, lambda: 0.0) for n in (1, 2, 3, 99)] == [1, 2, 4, 3600]
    assert exponential.delay_after(1, lambda: 1.0) == pytest.approx(0.9)


def test_no_wait_stays_no_wait_and_a_long_one_is_not_capped() -> None:
    assert Retry(first=0.0).delay_after(10_000) == 0
    assert Retry.fixed(wait=7200).delay_after(3) == 7200


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry.fixed(wait=10, jitter=0.5),
        lambda: Retry.exponential(first=10, jitter=0.5),
        lambda: Retry.waits([10], jitter=0.5),
    ],
)
def test_jitter_is_a_share_of_every_kind_of_wait(make: Callable[[], Retry]) -> None:
    retry = make()

    assert [retry.delay_after(1, lambda: 0.0), retry.delay_after(1, lambda: 1.0)] == [10, 5]


@given(
    first=SECONDS,
    factor=st.floats(1, 100),
    cap=SECONDS,
    jitter=st.floats(0, 1),
    attempt=st.integers(1, 10_000),
    luck=st.floats(0, 1, exclude_max=True),
)
def test_a_wait_lies_between_its_jitter_and_its_cap_and_never_shrinks(
    first: float, factor: float, cap: float, jitter: float, attempt: int, luck: float
) -> None:
    retry = Retry(attempts=100, first=first, factor=factor, cap=cap, jitter=jitter)
    longest = retry.delay_after(attempt, lambda: 0.0)

    assert math.isfinite(longest)
    assert longest <= max(cap, first if factor == 1 else 0)
    assert longest * (1 - jitter) * 0.999999 <= retry.delay_after(attempt, lambda: luck) <= longest
    assert retry.delay_after(attempt + 1, lambda: 0.0) >= longest


@given(steps=st.lists(SECONDS, min_size=1, max_size=20), attempt=st.integers(1, 50))
def test_listed_delays_are_used_and_the_last_one_repeats(steps: list[float], attempt: int) -> None:
    retry = Retry.waits(steps)

    assert retry.delay_after(attempt) == steps[min(attempt, len(steps)) - 1]


def test_a_rate_without_a_burst_may_start_one_period_at_once() -> None:
    assert RateLimit(5, per=60).burst == 5
    assert RateLimit(5, per=0.0015).per_ms == 2


@given(per=st.floats(0.001, 86_400))
def test_a_period_is_never_rounded_to_nothing(per: float) -> None:
    assert RateLimit(1, per=per).per_ms >= 1


def test_more_waits_than_attempts_have_are_told() -> None:
    with pytest.raises(ConfigurationError, match="3 attempts have 2 waits, and 3 are named"):
        Retry(attempts=3, steps=(1, 5, 25))


@pytest.mark.parametrize("attempts", [1, 2, 3, 4, 9])
def test_a_job_s_own_attempts_may_leave_waits_of_its_queue_unused(attempts: int) -> None:
    retry = Retry.waits([1, 5, 25]).with_overrides({"attempts": attempts})

    waits = [retry.delay_after(n) for n in range(1, attempts)]
    assert (retry.attempts, waits) == (
        attempts,
        [1.0, 5.0, 25.0, 25.0, 25.0, 25.0, 25.0, 25.0][: attempts - 1],
    )


Seconds = NewType("Seconds", float)


@dataclass(frozen=True)
class Patient(Retry):
    """A policy of the application's, with annotations that can't be evaluated at run time."""

    longest: ClassVar[float] = 5.0
    pause: Seconds = Seconds(1.0)
    amount: OnlyForTypes | None = None

    def __post_init__(self) -> None:
        super().__post_init__()


def test_a_subclass_has_fields_of_its_own_and_the_checks_of_the_policy() -> None:
    assert Patient(attempts=5).attempts == 5
    with pytest.raises(ConfigurationError, match="Retry: attempts is a whole number, not '5'"):
        Patient(attempts="5")  # type: ignore[arg-type]
    retry = Patient(attempts=5).with_overrides({"attempts": 2})
    assert isinstance(retry, Patient)
