"""A broker's fills reach the journal once each, and a language model speaks about them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from functions.apps.trading_journal import (
    AnalysisRequest,
    BrokerSync,
    CoachRequest,
    TradeEmbeddings,
    analyse_trades,
    embed_trades,
    give_feedback,
    sync_trades,
)
from functions.apps.trading_journal.coach import BATCH
from functions.apps.trading_journal.syncing import MOST_PAGES
from functions.apps.trading_journal.trades import Trade, Trades, trades_in
from functions.providers import alpaca, openai
from functions.providers.http import UnreadableAnswer
from shared import ConfigurationError, Discard
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.testing import FakeClock, embedded_store, run_job

from ..conftest import MakeContext

FILLS = f"{alpaca.API}/v2/account/activities/FILL"
DAY = dt.date(2026, 3, 2)


def fill(number: int, side: str = "buy", qty: str = "10", price: str = "1.25") -> dict[str, Any]:
    """A fill as Alpaca's documentation shows it."""
    return {
        "activity_type": "FILL",
        "cum_qty": qty,
        "id": f"20260302093000{number:06}::8efc7b9a-8b2b-4000-9955-d36e7db0df74",
        "leaves_qty": "0",
        "order_id": "904837e3-3b76-47ec-b432-046db621571b",
        "order_status": "filled",
        "price": price,
        "qty": qty,
        "side": side,
        "symbol": "AAPL",
        "transaction_time": f"2026-03-02T{9 + number // 3600 % 12:02}:30:00.{number % 1000:03}Z",
        "type": "fill",
    }


@pytest.fixture
def trades(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> Trades:
    for name in ("ALPACA_KEY_ID", "ALPACA_SECRET_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "test")
    return trades_in(folder, "main")


def page_of(fills: list[dict[str, Any]], request: httpx.Request) -> httpx.Response:
    token, since = request.url.params.get("page_token", ""), request.url.params.get("after", "")
    size = int(request.url.params["page_size"])
    rest = [one for one in fills if one["id"] > token and one["transaction_time"] > since]
    return httpx.Response(200, json=rest[:size])


def serve(fills: list[dict[str, Any]]) -> respx.Route:
    """A broker that has these fills."""
    return respx.get(FILLS).mock(side_effect=lambda request: page_of(fills, request))


def stored(trades: Trades) -> list[Trade]:
    return trades.between(DAY, DAY)


@respx.mock
async def test_every_fill_is_stored_once(trades: Trades, context: MakeContext) -> None:
    route = serve([fill(number) for number in range(250)])

    first = await sync_trades(BrokerSync(), context())
    second = await sync_trades(BrokerSync(), context())

    assert first == {"fetched": 250, "new": 250, "more": False}
    assert second == {"fetched": 250, "new": 0, "more": False}  # those of the last two hours
    assert len(stored(trades)) == 250
    assert route.calls[0].request.headers["apca-api-key-id"] == "test"
    assert not {"page_token", "after"} & set(route.calls[0].request.url.params)
    assert route.calls[3].request.url.params["after"] == "2026-03-02T07:30:00.249000Z"


@respx.mock
async def test_a_sync_that_fails_goes_on_after_its_last_page(
    trades: Trades, context: MakeContext
) -> None:
    fills, healthy = [fill(number) for number in range(250)], [True, False]
    respx.get(FILLS).mock(
        side_effect=lambda request: (
            page_of(fills, request)
            if not healthy or healthy.pop(0)
            else httpx.Response(503, headers={"retry-after": "30"})
        )
    )

    with pytest.raises(httpx.HTTPStatusError):
        await sync_trades(BrokerSync(), context())
    assert len(stored(trades)) == 100

    assert (await sync_trades(BrokerSync(), context()))["new"] == 150


@respx.mock
async def test_a_long_history_continues_in_another_job(trades: Trades) -> None:
    count = MOST_PAGES * alpaca.PAGE + 1
    serve([fill(number) for number in range(count)])
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, sync_trades, BrokerSync(), clock=clock, job_id="sync")
        await run_job(store, sync_trades, BrokerSync(), clock=clock, job_id="other")

    assert view.state == "completed"
    assert view.history["result"] == {"fetched": count - 1, "new": count - 1, "more": True}
    assert len(stored(trades)) == count


@respx.mock
async def test_a_job_that_has_no_time_left_stops_after_a_page(
    trades: Trades, context: MakeContext
) -> None:
    serve([fill(number) for number in range(250)])

    async with embedded_store():
        result = await sync_trades(BrokerSync(), context(left=lambda: 19.0))

    assert result == {"fetched": 100, "new": 100, "more": True}


@respx.mock
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(401, json={"message": "unauthorized"}), Discard),
        (httpx.Response(503), httpx.HTTPStatusError),
        (httpx.Response(200, text="<html>"), UnreadableAnswer),
        (httpx.Response(200, json=[{**fill(1), "qty": "-1"}]), UnreadableAnswer),
        (httpx.Response(200, json={"message": "later"}), UnreadableAnswer),
    ],
)
async def test_a_broker_s_faults_are_what_a_queue_can_act_on(
    response: httpx.Response, error: type[Exception], trades: Trades, context: MakeContext
) -> None:
    respx.get(FILLS).mock(return_value=response)

    with pytest.raises(error):
        await sync_trades(BrokerSync(), context())
    assert stored(trades) == []


async def test_no_account_is_one_clear_sentence(folder: Path, context: MakeContext) -> None:
    with pytest.raises(ConfigurationError, match="ALPACA_KEY_ID"):
        await sync_trades(BrokerSync(), context())


def chat(text: str) -> respx.Route:
    body = {"choices": [{"message": {"content": text}}]}
    return respx.post(f"{openai.API}/chat/completions").respond(200, json=body)


@respx.mock
async def test_feedback_on_a_day_is_kept(trades: Trades, context: MakeContext) -> None:
    serve([fill(1), fill(2, "sell", price="1.50")])
    await sync_trades(BrokerSync(), context())
    route = chat("You took the profit early.")

    result = await give_feedback(CoachRequest(day=DAY))

    assert result == {"trades": 2, "feedback": "You took the profit early."}
    assert trades.note("feedback", "2026-03-02") == "You took the profit early."
    shown = json.loads(route.calls[0].request.content)["messages"][1]["content"]
    assert shown.splitlines()[1].endswith("sold 10 AAPL at 1.50")


async def test_a_day_without_trades_asks_nobody(trades: Trades) -> None:
    assert await give_feedback(CoachRequest(day=DAY)) == {"trades": 0, "feedback": None}


@respx.mock
async def test_an_analysis_rests_on_computed_figures(trades: Trades, context: MakeContext) -> None:
    serve([fill(1), fill(2, "sell", "4", "1.50")])
    await sync_trades(BrokerSync(), context())
    route = chat("AAPL carried it.")

    result = await analyse_trades(AnalysisRequest(first=DAY, last=DAY))

    assert result == {"trades": 2, "analysis": "AAPL carried it.", "results": {"AAPL": "1.00"}}
    shown = json.loads(route.calls[0].request.content)["messages"][1]["content"]
    assert shown == "AAPL: 1.00"


@respx.mock
async def test_each_trade_gets_one_vector_over_failures(
    trades: Trades, context: MakeContext
) -> None:
    serve([fill(number) for number in range(BATCH + 5)])
    await sync_trades(BrokerSync(), context())
    counts: list[int] = []

    def vectors(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        counts.append(len(texts))
        if len(counts) == 2:
            return httpx.Response(500)
        data = [{"index": index, "embedding": [0.5, index]} for index in range(len(texts))]
        return httpx.Response(200, json={"data": data})

    respx.post(f"{openai.API}/embeddings").mock(side_effect=vectors)

    with pytest.raises(httpx.HTTPStatusError):
        await embed_trades(TradeEmbeddings(), context())
    result = await embed_trades(TradeEmbeddings(), context())

    assert result == {"embedded": 5, "more": False}
    assert counts == [BATCH, 5, 5]


@respx.mock
async def test_embedding_in_a_short_function_goes_on_in_another_job(trades: Trades) -> None:
    trades.add([alpaca.Fill.model_validate(fill(number)) for number in range(2 * BATCH + 5)])

    def vectors(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        data = [{"index": index, "embedding": [0.5]} for index in range(len(texts))]
        return httpx.Response(200, json={"data": data})

    asked = respx.post(f"{openai.API}/embeddings").mock(side_effect=vectors)
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        await embed_trades.enqueue(TradeEmbeddings())
        for _tick in range(3):
            await Drain(store, Registry([]), Budget.of(20, clock=clock)).run([embed_trades.queue])

    assert asked.call_count == 3
    assert trades.without_vector(1) == []
    assert trades.without_vector(1) == []
