"""What fails outside of a handler: a retry policy that raises, a number that no script can read. It
is the matter of one job or of one queue, and no job counts as crashed for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from shared import JobContext, JobFailure, Queue, RateLimit, Retention, Retry
from shared.drain.admission import Admission
from tests.faults.conftest import Play
from tests.support.turns import make_exclusive
from tests.support.values import Number
from tests.support.world import World


def _raise(error: BaseException) -> Any:
    raise error


class Strange(Retry):
    """A policy of an application's own that fails."""

    wait: Callable[[], Any] = staticmethod(lambda: _raise(ZeroDivisionError()))

    def delay_after(self, attempt: int, rng: Callable[[], float] = lambda: 0.0) -> float:
        wait: float = self.wait()
        return wait


STRANGE: dict[str, Callable[[], Any]] = {
    "raises": lambda: _raise(ZeroDivisionError()),
    "exits": lambda: _raise(SystemExit(1)),
    "interrupts": lambda: _raise(KeyboardInterrupt()),
    "no number": lambda: "5",
    "none": lambda: None,
    "complex": lambda: 1j,
}


def failing(world: World, **options: Any) -> Queue:
    """A queue whose jobs fail, beside those of type "t", which do not."""
    queue = world.queue(**options)

    @queue.job("fails")
    async def fails(payload: Number, job: JobContext) -> None:
        world.began(job)
        raise ValueError("no")

    return queue


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_retry_policy_that_fails_ends_its_own_job_alone_and_at_once(
    play: Play[None], strange: str, exclusive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "wait", staticmethod(STRANGE[strange]))
    told: list[JobFailure] = []

    async def story(world: World) -> None:
        queue = failing(world, retry=Strange(attempts=9))
        world.app.on_failure(lambda _error, failure: told.append(failure))
        await world.store.enqueue(queue, [queue.types["fails"].job(Number(), job_id="bad")])
        if exclusive:
            await make_exclusive(world.store, queue, world.clock, want=1)
        await world.enqueue(queue, 3)

        report = await world.drained(queue, patience=0)

        assert report.outcomes == {"done": 3, "retried": 1}
        assert report.seconds_used < 5
        for _ in range(2):
            world.clock.advance(60)
            report = await world.drained(queue, patience=0)
        assert report.outcomes == {"dead": 1}
        view = await world.store.inspect(queue, "bad")
        assert (view.state, view.attempts, view.crashes) == ("dead", 3, 0)
        assert "job_bug" in view.errors[-1]["message"]
        assert [failure.attempt for failure in told] == [1, 2, 3]

    play(story)


@pytest.mark.parametrize("wait", [math.nan, math.inf, -math.inf, -5.0, 1e300])
def test_a_wait_that_no_clock_has_is_none_or_the_longest(
    play: Play[None], wait: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "wait", staticmethod(lambda: wait))

    async def story(world: World) -> None:
        queue = failing(world, retry=Strange())
        await world.store.enqueue(queue, [queue.types["fails"].job(Number(), job_id="bad")])

        await world.drained(queue, patience=0)

        view = await world.store.inspect(queue, "bad")
        left = (view.at_ms - world.clock.epoch_ms()) / 86_400_000
        assert view.state == "dead" if not wait > 0 else (view.state, left) == ("delayed", 366)

    play(story)


def _break(record: Any, **fields: Any) -> Any:
    """A frozen declaration with values that can't be declared: code before the checks had them."""
    for name, value in fields.items():
        object.__setattr__(record, name, value)
    return record


BROKEN: dict[str, Callable[[], dict[str, Any]]] = {
    "half a job kept": lambda: {"completed": _break(Retention(), count=1.5)},
    "a float kept": lambda: {"completed": _break(Retention(), count=1e3)},
    "half a burst": lambda: {"limit": _break(RateLimit(5), burst=1.5)},
    "half a rate": lambda: {"limit": _break(RateLimit(5), rate=1.5)},
    "half a slot": lambda: {"concurrency": 1.5},
    "less than none": lambda: {"max_bytes": -1},
    "no number": lambda: {"max_bytes": "many"},
}


@pytest.mark.parametrize("broken", BROKEN)
def test_jobs_of_a_queue_that_the_script_can_not_serve_wait_and_are_no_crashes(
    play: Play[None], broken: str
) -> None:
    async def story(world: World) -> None:
        queue, good = world.queue(), world.queue("good")
        ids = await world.enqueue(queue, 3)
        await world.enqueue(good, 3)
        before = {name: getattr(queue, name) for name in BROKEN[broken]()}
        _break(queue, **BROKEN[broken]())

        for _ in range(8):
            report = await world.drained(queue, good, patience=0)
            world.clock.advance(60)

        assert "can't be read" in (report.error or "")
        assert (await world.probe.totals("good"))["done"] == 3
        _break(queue, **before)
        for job_id in ids:
            view = await world.store.inspect(queue, job_id)
            assert (view.state, view.attempts, view.crashes) == ("waiting", 0, 0)
        assert (await world.drained(queue)).outcomes == {"done": 3}

    play(story)


def test_a_bug_in_a_consumer_settles_what_has_ended_and_gives_back_what_runs(
    play: Play[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its jobs run again at once, and none counts as crashed."""

    async def story(world: World) -> None:
        queue = world.queue(seconds=30)

        @queue.job("quick")
        async def quick(payload: Number) -> None: ...

        await world.enqueue(queue, 2)
        await world.store.enqueue(queue, [quick.job(Number(), job_id="quick")])
        answers = iter([True])
        monkeypatch.setattr(Admission, "anything_fits", lambda _admission: next(answers))

        report = await world.drained(queue)

        assert (report.stop, report.outcomes) == ("error", {"done": 1, "released": 2})
        assert await world.probe.totals() == {"claimed": 3, "done": 1, "released": 2}

    play(story)
