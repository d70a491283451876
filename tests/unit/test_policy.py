"""Retry, RateLimit, Retention: what they compute, and each contradiction in its sentence."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ConfigurationError, RateLimit, Retention, Retry

SECONDS = st.floats(0, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Retry(attempts=0), "attempts=0: choose 1 to 100"),
        (lambda: Retry(attempts=101), "attempts=101: choose 1 to 100"),
        (lambda: Retry(first=-1), "a wait can't be negative"),
        (lambda: Retry(first=math.inf), "a wait can't be negative"),
        (lambda: Retry(factor=0.5), "below 1 the waits would shrink"),
        (lambda: Retry(factor=math.nan), "below 1 the waits would shrink"),
        (lambda: Retry(cap=-1), "choose the longest wait"),
        (lambda: Retry(cap=math.nan), "choose the longest wait"),
        (lambda: Retry(jitter=1.5), "a share of the wait, 0 to 1"),
        (lambda: Retry.waits([]), "name at least one wait"),
        (lambda: Retry.waits([1, -1]), "none may be negative"),
        (lambda: RateLimit(0), "rate=0: choose 1 or more, or pause the queue"),
        (lambda: RateLimit(5, burst=-1), "below one no job could ever start"),
        (lambda: RateLimit(5, per=0), "choose 0.001 to 86400 seconds"),
        (lambda: RateLimit(5, per=math.nan), "choose 0.001 to 86400 seconds"),
        (lambda: RateLimit(2_000_000), "at most 1000000"),
        (lambda: Retention(count=-1), "choose 0 to 1000000"),
        (lambda: Retention(age=0), "choose seconds above 0"),
    ],
)
def test_each_contradiction_is_refused_with_what_to_change(make: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        make()


def test_the_waits_of_the_requirements() -> None:
    assert [Retry.waits([1, 5, 25]).wait(n) for n in (1, 2, 3)] == [1, 5, 25]
    assert Retry.waits([1, 5, 25]).attempts == 4
    assert [Retry.fixed(wait=7).wait(n) for n in (1, 2, 50)] == [7, 7, 7]
    exponential = Retry.exponential(first=2, factor=3, cap=50, jitter=0, attempts=9)
    assert [exponential.wait(n) for n in (1, 2, 3, 4, 99)] == [2, 6, 18, 50, 50]


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
    longest = retry.wait(attempt, lambda: 0.0)

    assert math.isfinite(longest)
    assert longest <= max(cap, first if factor == 1 else 0)
    assert longest * (1 - jitter) * 0.999999 <= retry.wait(attempt, lambda: luck) <= longest
    assert retry.wait(attempt + 1, lambda: 0.0) >= longest


@given(steps=st.lists(SECONDS, min_size=1, max_size=20), attempt=st.integers(1, 50))
def test_listed_waits_are_kept_and_the_last_one_repeats(steps: list[float], attempt: int) -> None:
    retry = Retry.waits(steps)

    assert retry.wait(attempt) == steps[min(attempt, len(steps)) - 1]


def test_a_rate_without_a_burst_may_start_one_period_at_once() -> None:
    assert RateLimit(5, per=60).burst == 5
    assert RateLimit(5, per=0.0015).per_ms == 2
    assert RateLimit(50, per=1, burst=10).half_burst == 0.1


@given(per=st.floats(0.001, 86_400))
def test_a_period_is_never_rounded_to_nothing(per: float) -> None:
    assert RateLimit(1, per=per).per_ms >= 1
