"""Whatever a handler raises is an outcome of its own job, and of no other."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import Cancel, Discard, JobContext, Queue, Retry, RetryLater, Snooze
from shared.drain.outcome import SHORTEST_SNOOZE, outcome_of
from shared.errors import LONGEST_DELAY, LONGEST_RETRY_AFTER
from shared.store import Store, TurnReply
from shared.store.views import JobView
from tests.faults.conftest import Play
from tests.support.hostile import ARGUMENTS, HEADER_TEXTS, deep_group, groups
from tests.support.values import Number
from tests.support.world import World

WAIT = 60.0
ENDS = ("delayed", "dead", "cancelled")
RETRY = Retry.fixed(attempts=3, wait=WAIT)
through_drains = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def declared(world: World, name: str, act: Callable[[], Any]) -> Queue:
    """A queue whose jobs of type "odd" and "odd def" do this, and whose others are good."""
    queue = world.queue(name, seconds=0.1, retry=RETRY)

    @queue.job("odd")
    async def handle(payload: Number, job: JobContext) -> Any:
        world.began(job)
        return act()

    @queue.job("odd def")
    def handle_in_thread(payload: Number, job: JobContext) -> Any:
        world.began(job)
        return act()

    return queue


async def among_neighbours(world: World, act: Callable[[], Any], odd: str = "odd") -> JobView:
    """The end of one job that does this. Its 20 neighbours on two queues run once and are done."""
    one, two = (declared(world, name, act) for name in ("one", "two"))
    for queue in (one, two):
        good = [queue.types["t"].job(Number(), job_id=f"{queue.name}{i}") for i in range(10)]
        await world.store.enqueue(queue, good[:5])
        if queue is one:
            await world.store.enqueue(one, [one.types[odd].job(Number(), job_id="odd")])
        await world.store.enqueue(queue, good[5:])

    report = await world.drained(one, two, patience=0)

    assert (report.error, report.outcomes["done"]) in ((None, 20), (None, 21))
    again = report.outcomes["retried"]  # at once, where the signal names no wait
    assert 21 <= sum(report.outcomes.values()) <= 21 + again
    assert report.seconds_used < 2
    runs = Counter(job_id for job_id in world.ran if not job_id.startswith("odd"))
    assert set(runs.values()) == {1}
    return await world.store.inspect(one, "odd")


@pytest.mark.parametrize("odd", ["odd", "odd def"])
@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda: RetryLater("30"), "TypeError"),  # type: ignore[arg-type]
        (lambda: Snooze(None), "TypeError"),  # type: ignore[arg-type]
        (lambda: RetryLater(-5), "ValueError"),
        (lambda: Snooze(float("nan")), "ValueError"),
        (Snooze, "TypeError"),
    ],
)
def test_a_signal_with_a_wrong_argument_is_an_error_of_its_own_job(
    play: Play[JobView], mistake: Callable[[], Exception], error: str, odd: str
) -> None:
    def act() -> None:
        raise mistake()

    view = play(lambda world: among_neighbours(world, act, odd))

    assert (view.state, view.attempts, view.history["errors"][-1]["type"]) == ("delayed", 1, error)
    assert view.at_ms - view.now_ms > WAIT * 900


@through_drains
@given(argument=ARGUMENTS, signal=st.sampled_from([RetryLater, Snooze]))
def test_a_signal_with_any_argument_harms_no_neighbour(
    play: Play[JobView], argument: Any, signal: type[Exception]
) -> None:
    def act() -> None:
        raise signal(argument)

    view = play(lambda world: among_neighbours(world, act))

    assert view.state in ENDS
    assert view.crashes == 0


@given(error=groups(), attempt=st.integers(1, 4))
def test_any_exception_has_an_outcome_within_bounds(error: BaseException, attempt: int) -> None:
    outcome = outcome_of(error, attempt=attempt, retry=RETRY)

    assert outcome.kind in ("retry", "dead", "snooze", "cancelled")
    assert 0 <= outcome.delay <= LONGEST_DELAY
    assert outcome.kind != "retry" or attempt < RETRY.attempts
    assert outcome.kind != "snooze" or outcome.delay >= SHORTEST_SNOOZE
    assert outcome.kind == "snooze" or {"type", "message"} <= set(outcome.detail["error"])
    json.dumps(dict(outcome.detail))


@through_drains
@given(error=groups(), odd=st.sampled_from(["odd", "odd def"]))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_exception_is_settled_as_an_outcome_of_its_own_job(
    play: Play[JobView], error: BaseException, odd: str
) -> None:
    def act() -> None:
        raise error

    view = play(lambda world: among_neighbours(world, act, odd))

    assert view.state in ENDS
    assert view.crashes == 0


@given(text=HEADER_TEXTS, date=st.none() | HEADER_TEXTS)
def test_any_retry_after_is_a_wait_no_sooner_than_the_queues_own(
    text: str, date: str | None
) -> None:
    error = answered({"retry-after": text} | ({} if date is None else {"date": date}))

    outcome = outcome_of(error, attempt=1, retry=RETRY)

    assert outcome.kind == "retry"
    assert WAIT <= outcome.delay <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", WAIT),
        ("0", WAIT),
        ("Wed, 21 Oct 2015 07:28:00 GMT", WAIT),
        ("90", 90),
        ("Wed, 21 Oct 2026 07:30:00 GMT", 120),
    ],
)
def test_what_a_server_answers_is_an_outcome_of_the_job_that_asked(
    play: Play[JobView], text: str, wait: float
) -> None:
    def act() -> None:
        raise answered({"retry-after": text, "date": "Wed, 21 Oct 2026 07:28:00 GMT"})

    view = play(lambda world: among_neighbours(world, act))

    assert (view.state, view.attempts) == ("delayed", 1)
    assert view.at_ms - view.now_ms == pytest.approx(wait * 1000, abs=1000)


def answered(headers: dict[str, str]) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "https://example.com")
    encoded = {name.encode(): text.encode() for name, text in headers.items()}
    response = httpx.Response(503, headers=encoded, request=request)
    return httpx.HTTPStatusError("unavailable", request=request, response=response)


@pytest.mark.parametrize(
    ("signal", "state"),
    [(Discard("never"), "dead"), (Cancel("enough"), "cancelled"), (Snooze(30), "delayed")],
)
def test_a_signal_from_a_task_group_of_the_handler_counts(
    play: Play[None], signal: Exception, state: str
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q", retry=RETRY)

        async def part(error: Exception) -> None:
            raise error

        @queue.job("t")
        async def handle(payload: Number) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(part(ValueError("bad")))
                group.create_task(part(signal))

        await world.enqueue(queue, 1)
        await world.drained(queue, patience=0)
        view = await world.store.inspect(queue, "j0000")

        assert (view.state, view.attempts) == (state, state != "delayed")

    play(story)


def test_the_errors_inside_a_group_are_what_is_kept(play: Play[JobView]) -> None:
    def act() -> None:
        raise ExceptionGroup("unhandled errors", [ValueError("bad"), KeyError("gone")])

    view = play(lambda world: among_neighbours(world, act))

    (error,) = view.history["errors"]
    assert (error["type"], error["message"]) == ("ValueError", "bad")
    assert [one["type"] for one in error["others"]] == ["KeyError"]


@pytest.mark.parametrize("depth", [1, 10, 900])
def test_a_signal_counts_however_deep_its_groups_are(depth: int) -> None:
    outcome = outcome_of(deep_group(Discard("never"), depth), attempt=1, retry=RETRY)

    assert (outcome.kind, outcome.detail["error"]["message"]) == ("dead", "never")


def test_a_signal_counts_behind_a_thousand_errors() -> None:
    group = ExceptionGroup("many", [*(ValueError(str(i)) for i in range(1000)), Discard("never")])

    assert outcome_of(group, attempt=1, retry=RETRY).kind == "dead"


def test_a_bug_in_one_consumer_leaves_the_other_queues_alone(
    play: Play[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = Store.turn

    async def broken(store: Store, queue: Queue, *args: Any, **options: Any) -> TurnReply:
        reply = await turn(store, queue, *args, **options)
        if queue.name == "broken":
            raise ZeroDivisionError("a slip")
        return reply

    async def story(world: World) -> None:
        well, ill = world.queue("well", seconds=3), world.queue("broken")
        ids = await world.enqueue(well, 20)
        await world.enqueue(ill, 5)
        monkeypatch.setattr(Store, "turn", broken)

        report = await world.drained(well, ill)

        assert (report.stop, report.outcomes) == ("error", {"done": 20})
        assert report.error == "ZeroDivisionError: a slip"
        assert sorted(world.ran) == ids

    play(story)
