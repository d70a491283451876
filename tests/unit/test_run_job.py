"""`run_job` ends with its job, also where follow-ups go to other queues."""

from __future__ import annotations

from shared import App, Completed
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
