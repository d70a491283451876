"""A broker's fills come whole, in whatever order its API lists them and its ids grow."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.apps.trading_journal import BrokerSync, sync_trades
from functions.apps.trading_journal.syncing import MOST_PAGES, sync
from functions.apps.trading_journal.trades import Trades, trades_in
from functions.providers.alpaca import API, PAGE, Fill, Page
from functions.providers.database import close_databases
from functions.providers.http import UnreadableAnswer
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext

NEW_YORK = ZoneInfo("America/New_York")
BEGIN = dt.datetime(2024, 11, 3, 5, 30, tzinfo=dt.UTC)
"""Half an hour before New York's clock goes back from 02:00 to 01:00."""
SIZE = 3
"""Fills of a page."""


def fill(second: int, end: int) -> Fill:
    """A fill whose id is made as Alpaca makes it."""
    at = BEGIN + dt.timedelta(seconds=second)
    name = f"{at.astimezone(NEW_YORK):%Y%m%d%H%M%S000}::{end:08x}"
    one = Decimal(1)
    return Fill(id=name, transaction_time=at, symbol="BTC/USD", side="buy", qty=one, price=one)


class Book:
    """A broker whose API lists by id, or by time with the ids of one instant in either order."""

    def __init__(self, order: str) -> None:
        self.made: list[Fill] = []
        self.order = order

    def rows(self, since: dt.datetime | None) -> list[Fill]:
        rows = sorted(self.made, key=lambda one: one.id, reverse=self.order == "time, id falls")
        if self.order != "id":
            rows.sort(key=lambda one: one.transaction_time)
        return [one for one in rows if since is None or one.transaction_time > since]

    async def fills(self, since: dt.datetime | None, token: str | None) -> Page:
        rows = self.rows(since)
        names = [one.id for one in rows]
        begin = 0 if token is None else names.index(token) + 1
        page = rows[begin : begin + SIZE]
        return Page(page, [], page[-1].id if len(page) == SIZE else None)


SECONDS = st.one_of(st.integers(0, 5), st.integers(0, 5400))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.sampled_from(["id", "time, id falls", "time, id rises"]),
    made=st.lists(st.tuples(SECONDS, st.integers(0, 2**32 - 1)), unique=True, max_size=25),
    between=st.lists(st.integers(1, 8), max_size=8),
    chance=st.randoms(),
)
async def test_syncs_store_every_fill_whatever_the_order_of_ids(
    order: str,
    made: list[tuple[int, int]],
    between: list[int],
    chance: Any,
    tmp_path_factory: pytest.TempPathFactory,
    context: MakeContext,
) -> None:
    chance.shuffle(made)
    fills = sorted((fill(*one) for one in made), key=lambda one: one.transaction_time)
    book, trades = Book(order), trades_in(tmp_path_factory.mktemp("sync"), "main")

    for count in between:
        book.made, fills = book.made + fills[:count], fills[count:]
        report = await sync(context(), book, trades)
        assert report.rest is None
    book.made += fills
    await sync(context(), book, trades)

    stored = trades.between(BEGIN.date(), BEGIN.date())
    close_databases()
    assert {one.id for one in stored} == {one.id for one in book.made}


FILLS = f"{API}/v2/account/activities/FILL"


def activity(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"20260302093000{number:06}::8efc7b9a",
        "transaction_time": f"2026-03-02T14:30:00.{number % 1000:03}Z",
        "symbol": "AAPL",
        "side": "buy",
        "qty": "1",
        "price": "1.25",
        **changes,
    }


@pytest.fixture
def trades(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> Trades:
    for name in ("ALPACA_KEY_ID", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "test")
    return trades_in(folder, "main")


@respx.mock
async def test_an_api_that_gives_one_page_for_ever_ends_the_sync(trades: Trades) -> None:
    page = [activity(number) for number in range(PAGE)]
    route = respx.get(FILLS).respond(200, json=page)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, sync_trades, BrokerSync(), clock=clock)

    assert view.state == "completed"
    assert route.call_count == 2


@respx.mock
async def test_a_rest_goes_on_where_its_sync_stopped(trades: Trades, context: MakeContext) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("page_token", "")
        rest = [one for one in book if one["id"] > token]
        return httpx.Response(200, json=rest[:PAGE])

    book = [activity(number) for number in range(3 * PAGE + 1)]
    respx.get(FILLS).mock(side_effect=answer)
    payload, jobs = BrokerSync(), 0

    while True:
        report = await sync(context(left=lambda: 1.0), *_of(payload, trades))
        jobs += 1
        if report.rest is None:
            break
        assert jobs < MOST_PAGES
        payload = BrokerSync.model_validate_json(
            payload.model_copy(update={"resume": report.rest}).model_dump_json()
        )

    assert jobs == 4
    assert trades.without_vector(1000)[-1].id == book[-1]["id"]


def _of(payload: BrokerSync, trades: Trades) -> tuple[Any, Trades, Any]:
    from functions.providers.alpaca import broker  # noqa: PLC0415

    return broker(), trades, payload.resume


UNREADABLE: dict[str, dict[str, Any]] = {
    "a side of its own": {"side": "buy_to_cover"},
    "no quantity": {"qty": "0"},
    "no instant": {"transaction_time": None},
    "no id": {"id": None},
}


@respx.mock
@pytest.mark.parametrize("fault", UNREADABLE)
async def test_a_fill_that_can_t_be_read_costs_no_other_one(
    fault: str, trades: Trades, context: MakeContext
) -> None:
    book = [activity(1), activity(2, **UNREADABLE[fault]), activity(3)]
    respx.get(FILLS).respond(200, json=book)

    async with embedded_store():
        result: dict[str, Any] = await sync_trades(BrokerSync(), context())

    assert (result["fetched"], result["new"]) == (3, 2)
    assert result["unreadable"]["count"] == 1
    assert len(trades.without_vector(9)) == 2


@respx.mock
async def test_a_page_of_which_no_fill_can_be_read_is_a_changed_api(
    trades: Trades, context: MakeContext
) -> None:
    respx.get(FILLS).respond(200, json=[activity(1, side="?"), activity(2, side="?")])

    with pytest.raises(UnreadableAnswer, match="side"):
        await sync_trades(BrokerSync(), context())


@respx.mock
async def test_a_rest_that_died_holds_back_no_later_one(
    trades: Trades, context: MakeContext
) -> None:
    book = [activity(number) for number in range(PAGE + 5)]

    def answer(request: httpx.Request) -> httpx.Response:
        token = request.url.params.get("page_token")
        if token and down:
            return httpx.Response(403, json={"message": "forbidden"})
        return httpx.Response(200, json=[one for one in book if one["id"] > (token or "")][:PAGE])

    down = True
    respx.get(FILLS).mock(side_effect=answer)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        for _time in range(3):
            await sync_trades(BrokerSync(), context("sync", left=lambda: 1.0))
            if _time == 1:
                down = False
            await Drain(store, Registry([]), Budget.of(60, clock=clock)).run([sync_trades.queue])
            clock.advance(60)

    assert len(trades.without_vector(1000)) == len(book)
