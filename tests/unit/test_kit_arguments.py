"""What does not fit together is refused at once, in a sentence, by each function of the kit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import App, Completed, ConfigurationError
from shared.declare.queue import JobType
from shared.errors import InvalidOption
from shared.store import Store
from shared.testing import (
    FakeClock,
    Fate,
    LossyTransport,
    embedded_store,
    occurrences,
    run_job,
    run_virtually,
    tick,
)
from tests.support.values import Number

Call = Callable[[Store, Any], Coroutine[Any, Any, object]]
RUN: Call = lambda store, clock: run_job(store, ship(), Number(), clock=clock)  # noqa: E731
TICK: Call = lambda store, clock: tick(store, App("shop"), clock=clock)  # noqa: E731
EACH = pytest.mark.parametrize(("name", "call"), [("run_job", RUN), ("tick", TICK)])
MAIL = App("mail")


def ship() -> JobType[Number]:
    @App("shop").queue("orders").job("ship")
    async def ship(payload: Number) -> None: ...

    return ship


@MAIL.queue("letters").job("note")
async def note(payload: Number) -> None: ...


@EACH
@pytest.mark.parametrize("theirs", [None, FakeClock()])
async def test_a_clock_that_is_not_the_stores_is_refused(
    name: str, call: Call, theirs: FakeClock | None
) -> None:
    async with embedded_store(clock=theirs) as store:
        with pytest.raises(ConfigurationError) as refused:
            await call(store, FakeClock())

    assert str(refused.value) == (
        f"the clock of {name} is not the store's (pass the same to embedded_store)"
    )


@EACH
@pytest.mark.parametrize("clock", [None, 7, "now"])
async def test_what_is_no_clock_is_refused(name: str, call: Call, clock: Any) -> None:
    async with embedded_store() as store:
        with pytest.raises(
            ConfigurationError, match=f"{name}: clock is a FakeClock, not {clock!r}"
        ):
            await call(store, clock)


@EACH
async def test_what_is_no_store_is_refused(name: str, call: Call) -> None:
    for store in (None, embedded_store(), "http://localhost"):
        with pytest.raises(ConfigurationError, match=f"{name}: store is a Store, not .*async with"):
            await call(store, FakeClock())  # type: ignore[arg-type]  # that is the mistake


def test_in_virtual_time_the_clock_is_that_of_the_loop() -> None:
    async def story() -> None:
        async with embedded_store(clock=FakeClock()):
            pass

    with pytest.raises(ConfigurationError, match="the clock of embedded_store is not the loop's"):
        run_virtually(story(), FakeClock())
    never = asyncio.sleep(0)
    with pytest.raises(ConfigurationError, match="run_virtually: clock is a FakeClock, not None"):
        run_virtually(never, None)  # type: ignore[arg-type]  # that is the mistake
    never.close()


@pytest.mark.parametrize(
    ("apps", "sentence"),
    [
        ([], "tick: name the applications to drain"),
        ([[MAIL]], "an App, not .*one by one"),
        (["mail"], "an App, not 'mail'"),
        ([None], "an App, not None"),
    ],
)
async def test_a_tick_drains_applications(apps: list[Any], sentence: str) -> None:
    clock = FakeClock()
    async with embedded_store(clock=clock) as store:
        with pytest.raises(ConfigurationError, match=sentence):
            await tick(store, *apps, clock=clock)


@pytest.mark.parametrize(
    ("job_type", "options", "sentence"),
    [
        ("loaf.bake", {}, r"run_job: job_type is a handler with .*@queue.job.*, not 'loaf.bake'"),
        (lambda _payload: None, {}, "job_type is a handler"),
        (ship(), {"apps": MAIL}, "apps is a list of Apps"),
        (ship(), {"apps": "mail"}, "apps is a list of Apps"),
        (ship(), {"apps": ["mail"]}, "an App, not 'mail'"),
        (ship(), {"apps": [MAIL]}, "job_type: queue 'orders' is in none of its applications"),
        (ship(), {"then": [note.job(Number())]}, r"then: queue 'letters' .*apps=\["),
        (ship(), {"on_dead": [note.job(Number())]}, r"on_dead: queue 'letters' .*apps=\["),
    ],
)
async def test_a_run_has_a_handler_and_the_queues_of_all_that_follows(
    job_type: Any, options: dict[str, Any], sentence: str
) -> None:
    clock = FakeClock()
    async with embedded_store(clock=clock) as store:
        with pytest.raises(ConfigurationError, match=sentence):
            await run_job(store, job_type, Number(), clock=clock, **options)


async def test_a_handler_of_the_end_needs_its_queue_among_the_applications() -> None:
    app, clock = App("shop"), FakeClock()

    @app.queue("orders").job("ship")
    async def ship(payload: Number) -> None: ...

    @ship.on_completed(queue=MAIL.queues["letters"])
    async def tell(end: Completed[Number]) -> None: ...

    async with embedded_store(clock=clock) as store:
        with pytest.raises(ConfigurationError, match="a handler of its end: queue 'letters'"):
            await run_job(store, ship, Number(), clock=clock, apps=[app])
        view = await run_job(store, ship, Number(), clock=clock, apps=[app, MAIL])
    assert view.state == "completed"


@pytest.mark.parametrize("option", ["then", "on_dead"])
async def test_follow_ups_that_are_none_are_refused_as_by_an_enqueue(option: str) -> None:
    clock = FakeClock()
    async with embedded_store(clock=clock) as store:
        for value in (7, "note", [note], note.job(Number())):
            options: Any = {option: value}
            with pytest.raises(InvalidOption, match=option):
                await run_job(store, ship(), Number(), clock=clock, **options)


def test_schedules_and_odds_are_checked() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="occurrences: schedule is a Schedule, not 'x'"):
        occurrences("x", now, now)  # type: ignore[arg-type]  # that is the mistake
    for odds in ({Fate.TWICE: -0.1}, {Fate.TWICE: 0.6, Fate.ECHO: 0.6}):
        with pytest.raises(ConfigurationError, match="their sum 1 at most"):
            LossyTransport.drawn(1, odds)
    assert next(LossyTransport.drawn(1, {Fate.TWICE: 1.0})) is Fate.TWICE
