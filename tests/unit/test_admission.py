"""What may start: durations learned by type against the time that is left."""

from __future__ import annotations

import pytest

from shared import App, Queue
from shared.drain.admission import Admission
from shared.drain.budget import Budget
from shared.drain.durations import BUCKETS, bucket_of, edge_of
from shared.drain.run import Cuts, Run, decode_claim
from shared.jobs.claim import Claim
from shared.jobs.job import Job
from shared.jobs.outcome import Outcome
from shared.testing import FakeClock
from tests.support.values import Number

WINDOW = 57.0
"""What a budget of 60 s leaves to handlers."""


LATER = Outcome("release", 60.0, started=False)


@pytest.fixture
def queue() -> Queue:
    queue = App("app").queue("q", timeout=300)

    @queue.job("quick", timeout=5)
    async def quick(payload: Number) -> None: ...

    @queue.job("slow")
    async def slow(payload: Number) -> None: ...

    return queue


@pytest.fixture
def admission(queue: Queue, clock: FakeClock) -> Admission:
    return Admission(queue, Budget.of(60, clock=clock))


def work(queue: Queue, name: str, body: str | None = None) -> Run:
    body = Job(name, "{}").body() if body is None else body
    return decode_claim(
        Claim("a 1 o 1 0", "a", 1, "q", 0, 0, exclusive=False, body=body, history=""), queue
    )


def took(seconds: float, jobs: int = 100) -> list[int]:
    """A histogram in which so many jobs took so long."""
    counts = [0] * BUCKETS
    counts[bucket_of(seconds) - 1] = jobs
    return counts


@pytest.mark.parametrize(
    ("name", "needed"), [("quick", 5.0), ("slow", WINDOW / 2)], ids=["timeout", "half-a-window"]
)
def test_before_anything_is_learned_a_job_needs_its_timeout_but_half_a_window_at_most(
    queue: Queue, admission: Admission, name: str, needed: float
) -> None:
    assert admission.refusal(work(queue, name), needed) is None
    assert admission.refusal(work(queue, name), needed - 0.001) == LATER


def test_a_learned_duration_counts_and_a_later_one_replaces_it(
    queue: Queue, admission: Admission
) -> None:
    slow = work(queue, "slow")
    for seconds in (2.0, 9.0):
        admission.learn({"slow": took(seconds)})
        needed = edge_of(bucket_of(seconds))

        assert admission.refusal(slow, needed) is None
        assert admission.refusal(slow, needed - 0.001) == LATER


def test_a_learned_duration_is_never_above_the_timeout_which_ends_the_job_anyway(
    queue: Queue, admission: Admission
) -> None:
    admission.learn({"quick": took(50)})

    assert admission.refusal(work(queue, "quick"), 5.0) is None


def test_a_job_that_no_window_of_this_host_is_enough_for_is_parked_with_the_reason(
    queue: Queue, admission: Admission
) -> None:
    admission.learn({"slow": took(200)})
    expected = edge_of(bucket_of(200))

    parked = admission.refusal(work(queue, "slow"), WINDOW)

    assert parked is not None
    assert (parked.kind, parked.started) == ("park", False)
    assert 60 <= parked.delay <= 90
    assert parked.detail == {
        "parked": f"expected to take {expected:.1f} s; a window of this host has 57.0 s",
        "parks": 1,
    }


@pytest.mark.parametrize(("parks", "starts"), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 0), (7, 1)])
def test_a_job_parked_for_its_length_is_tried_every_fourth_time_in_a_window_that_has_just_begun(
    queue: Queue, admission: Admission, parks: int, starts: bool
) -> None:
    admission.learn({"slow": took(200)})
    run = work(queue, "slow")
    run.cuts = Cuts(parks=parks)

    assert (admission.refusal(run, WINDOW * 0.95) is None) == starts
    assert admission.refusal(run, WINDOW / 2) is not None


@pytest.mark.parametrize("seconds", [52.0, 56.0, 57.0, 60.0])
def test_a_job_that_needs_a_whole_window_starts_in_one_that_has_just_begun(
    queue: Queue, admission: Admission, seconds: float
) -> None:
    admission.learn({"slow": took(seconds)})

    assert admission.refusal(work(queue, "slow"), WINDOW * 0.95) is None
    assert admission.refusal(work(queue, "slow"), WINDOW * 0.85) == LATER


@pytest.mark.parametrize(("cuts", "window", "starts"), [(3, 26.0, 0), (2, 26.0, 1), (3, 57.0, 1)])
def test_a_job_that_three_whole_windows_cut_off_is_parked_for_a_longer_one(
    queue: Queue, clock: FakeClock, cuts: int, window: float, starts: bool
) -> None:
    admission = Admission(queue, Budget.of(window, clock=clock, reserve=0))
    run = work(queue, "slow")
    run.cuts = Cuts(26.0, cuts)

    refusal = admission.refusal(run, window)

    assert (refusal is None) == starts
    assert starts or (refusal is not None and refusal.kind == "park")


def test_a_job_that_was_cut_off_needs_half_as_much_again_but_no_more_than_a_window(
    queue: Queue, admission: Admission
) -> None:
    admission.learn({"slow": took(2)})
    run = work(queue, "slow")
    for cut_after, needed in ((20.0, 30.0), (50.0, WINDOW * 0.9)):
        run.cuts = Cuts(cut_after)

        assert admission.refusal(run, needed) is None
        assert admission.refusal(run, needed - 0.001) == LATER


def test_what_reaches_no_handler_needs_no_time(queue: Queue, admission: Admission) -> None:
    for nobodys in (work(queue, "unknown"), work(queue, "", body="no record")):
        assert admission.refusal(nobodys, 0.0) is None
        admission.observe(nobodys, 1.0)

    assert admission.take_observed() == {}


def test_what_was_observed_is_taken_once_and_counts_at_once(
    queue: Queue, admission: Admission
) -> None:
    slow, quick = work(queue, "slow"), work(queue, "quick")
    admission.learn({"slow": took(2, jobs=20)})
    assert admission.refusal(slow, 10.0) is None

    for _ in range(20):
        admission.observe(slow, 20.0)
    admission.observe(quick, 0.3)

    assert admission.refusal(slow, edge_of(bucket_of(20.0))) is None
    assert admission.refusal(slow, edge_of(bucket_of(20.0)) - 0.001) == LATER
    assert admission.take_observed() == {
        "slow": {bucket_of(20.0): 20},
        "quick": {bucket_of(0.3): 1},
    }
    assert admission.take_observed() == {}


def test_something_fits_as_long_as_one_type_does(
    queue: Queue, admission: Admission, clock: FakeClock
) -> None:
    clock.advance(WINDOW - 5)
    assert admission.anything_fits()

    clock.advance(0.001)
    assert not admission.anything_fits()


def test_something_fits_by_what_was_learned(admission: Admission, clock: FakeClock) -> None:
    admission.learn({"quick": took(2), "slow": took(50)})
    clock.advance(WINDOW - edge_of(bucket_of(2)) - 0.001)
    assert admission.anything_fits()

    clock.advance(0.002)
    assert not admission.anything_fits()


def test_a_queue_without_handlers_here_is_claimed_by_its_own_timeout(clock: FakeClock) -> None:
    queue = App("app").queue("q", timeout=10)
    admission = Admission(queue, Budget.of(60, clock=clock))
    clock.advance(WINDOW - 10)
    assert admission.anything_fits()

    clock.advance(0.001)
    assert not admission.anything_fits()
