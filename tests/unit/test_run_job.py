"""`run_job` ends with its job, also where follow-ups go to other queues."""

from __future__ import annotations

import pytest

from shared import App, Completed, KeyLimit, RateLimit, Snooze
from shared.declare.queue import JobType
from shared.testing import FakeClock, embedded_store, run_job
from tests.support.values import Number


def declared() -> tuple[App, JobType[Number], JobType[Number]]:
    """An application: a job whose end has a handler on another queue, and a job of a third one."""
    app = App("shop")
    orders, mail, other = app.queue("orders"), app.queue("mail"), app.queue("other")

    @orders.job("ship")
    async def ship(payload: Number) -> int:
        return payload.n

    @ship.on_completed(queue=mail)
    async def tell(end: Completed[Number]) -> None: ...

    @other.job("note")
    async def note(payload: Number) -> None: ...

    return app, ship, note


async def test_a_handler_of_the_end_is_enqueued_on_its_queue() -> None:
    app, ship, _ = declared()
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, ship, Number(n=7), clock=clock)
        waiting = await store.stats(app.queues["mail"])

    assert (view.state, view.result) == ("completed", 7)
    assert waiting.sizes["normal"] == 1


async def test_follow_ups_go_to_the_applications_that_are_named() -> None:
    app, ship, note = declared()
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        then = [note.job(Number(n=8))]
        view = await run_job(store, ship, Number(n=7), clock=clock, apps=[app], then=then)
        waiting = await store.stats(app.queues["other"])

    assert view.state == "completed"
    assert waiting.sizes["normal"] == 1


@pytest.mark.parametrize("per", [1, 30, 60, 61, 600, 3600])
@pytest.mark.parametrize("by_key", [False, True])
async def test_a_job_that_waits_for_its_limit_runs_at_the_time_of_its_token(
    per: int, *, by_key: bool
) -> None:
    rate = RateLimit(1, per=per, burst=1)
    limits = {"per_key": KeyLimit(rate=rate)} if by_key else {"limit": rate}
    queue = App("shop").queue("calls", **limits)
    clock = FakeClock()

    @queue.job("call")
    async def call(payload: Number) -> int:
        return payload.n

    async with embedded_store(clock=clock) as store:
        began = clock.epoch_ms()
        for n in (1, 2, 3):
            view = await run_job(store, call, Number(n=n), clock=clock, key="k")
            assert (view.state, view.result) == ("completed", n)

    assert 2000 * per <= clock.epoch_ms() - began <= 2000 * per + 5000


async def test_a_job_that_never_ends_is_an_error_that_says_so() -> None:
    queue = App("shop").queue("calls")
    clock = FakeClock()

    @queue.job("later")
    async def later(payload: Number) -> int:
        raise Snooze(60)

    async with embedded_store(clock=clock) as store:
        with pytest.raises(TimeoutError, match="is still delayed after 200 drains"):
            await run_job(store, later, Number(n=1), clock=clock)
