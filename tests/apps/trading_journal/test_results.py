"""A result is what closed quantities earned, and unknown where the fills don't tell."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.trading_journal import AnalysisRequest, analyse_trades
from functions.apps.trading_journal import trades as trades_module
from functions.apps.trading_journal.results import results_by_symbol
from functions.apps.trading_journal.trades import Trade, Trades, trades_in
from functions.providers import openai
from functions.providers.alpaca import Fill

CALL, ODD_CALL = "AAPL240119C00150000", "AAPL1240119C00150000"


def trade(day: int, side: str, quantity: int, price: int | str, symbol: str = "A") -> Trade:
    at = f"2024-01-{day:02}T15:00:00+00:00"
    return Trade(str(day), at, symbol, side, Decimal(quantity), Decimal(price))


def results(
    *steps: tuple[Any, ...], since: int = 1, symbol: str = "A", one_day: bool = False
) -> Decimal | None:
    """The result of steps on days 1, 2, 3 …, or all on the first one."""
    trades = [
        trade(1 if one_day else day, side, quantity, price, symbol)
        for day, (side, quantity, price) in enumerate(steps, 1)
    ]
    return results_by_symbol(trades, f"2024-01-{since:02}")[symbol]


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        ([("buy", 10, 1)], 0),
        ([("buy", 10, 1), ("sell", 10, 2)], 10),
        ([("buy", 10, 1), ("buy", 10, 3), ("sell", 5, 3)], 5),
        ([("sell_short", 10, 3), ("buy", 10, 1)], 20),
        ([("buy", 10, 1), ("sell_short", 15, 2), ("buy", 5, 1)], 15),
        ([("sell_short", 10, 3), ("buy", 15, 1), ("sell", 5, 2)], 25),
    ],
)
def test_a_result_is_what_closed_quantities_earned(
    steps: list[tuple[str, int, int]], result: int
) -> None:
    assert results(*steps, one_day=True) == Decimal(result)


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(1, 9)),
        min_size=1,
        max_size=12,
    )
)
def test_a_closed_book_s_result_is_its_cash(steps: list[tuple[str, int, int]]) -> None:
    position = sum(q if s == "buy" else -q for s, q, _p in steps)
    if position:
        steps = [*steps, ("sell" if position > 0 else "buy", abs(position), 5)]
    cash = sum(-q * p if s == "buy" else q * p for s, q, p in steps)
    sides = {"buy": "buy", "sell": "sell_short"}

    result = results(*((sides[s], q, p) for s, q, p in steps), one_day=True)

    assert result is not None
    assert abs(result - cash) < Decimal("1e-20")


@pytest.mark.parametrize("since", [1, 2, 3, 4])
def test_what_was_opened_before_the_period_counts_in_it(since: int) -> None:
    steps = [("buy", 100, 100), ("sell", 50, 110), ("sell", 50, 120), ("buy", 1, 120)]
    earned = {1: 1500, 2: 1500, 3: 1000, 4: 0}

    assert results(*steps, since=since) == earned[since]


@pytest.mark.parametrize(
    ("steps", "since"),
    [
        ([("sell", 100, 150)], 1),
        ([("sell", 100, 150), ("buy", 100, 160)], 1),
        ([("buy", 10, 100), ("sell", 11, 101)], 1),
        # a split of 4:1, of 3:2, and one that makes fewer shares
        ([("buy", 10, 500), ("sell", 40, 130)], 1),
        ([("buy", 10, 500), ("sell", 10, 130)], 1),
        ([("buy", 10, 300), ("sell", 5, 200), ("sell", 5, 201)], 3),
        ([("buy", 10, 1), ("sell", 1, 10)], 1),
        ([("sell_short", 10, 1), ("buy", 10, 2)], 1),
        ([("buy", 10, 0), ("sell", 10, 1)], 1),
    ],
)
def test_a_close_that_the_fills_don_t_explain_has_no_figure(
    steps: list[tuple[Any, ...]], since: int
) -> None:
    assert results(*steps, since=since) is None


@pytest.mark.parametrize(
    ("steps", "since", "result"),
    [
        # a book that is closed again is known again
        ([("sell", 9, 1), ("buy", 10, 5), ("sell", 10, 6)], 2, 10),
        ([("buy", 9, 1), ("sell", 9, 2), ("buy", 10, 5), ("sell", 10, 6)], 3, 10),
        ([("buy", 9, 1), ("sell_short", 10, 2), ("buy", 1, "1.9")], 3, "0.1"),
        # nothing was held overnight
        ([("buy", 1, 1), ("sell", 1, "1.1"), ("buy", 1, 9), ("sell", 1, 10)], 1, "1.1"),
    ],
)
def test_a_doubt_ends_with_its_position(
    steps: list[tuple[Any, ...]], since: int, result: Any
) -> None:
    assert results(*steps, since=since) == Decimal(result)


@pytest.mark.parametrize(("symbol", "result"), [(CALL, 200), (ODD_CALL, None), ("BTC/USD", 2)])
def test_an_option_is_a_hundred_shares_and_a_coin_has_no_splits(
    symbol: str, result: int | None
) -> None:
    assert results(("buy", 1, 1), ("sell", 1, 3), symbol=symbol) == result
    assert results(("buy", 1, 1), symbol=symbol) == 0


def test_a_day_s_move_is_no_split_and_the_hours_after_close_are_of_the_day() -> None:
    late = Trade("2", "2024-01-02T00:30:00+00:00", "A", "sell", Decimal(1), Decimal(9))
    early = late._replace(at="2024-01-02T12:00:00+00:00")
    begin = trade(1, "buy", 1, 3)

    assert results_by_symbol([begin, late]) == {"A": Decimal(6)}
    assert results_by_symbol([begin._replace(at="2024-01-02T00:30:00+00:00"), early]) == {"A": None}


@pytest.fixture
def journal(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> Trades:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setattr(trades_module, "HISTORY_PAGE", 2)
    return trades_in(folder, "main")


def fill(name: str, at: str, side: str, qty: str, price: str, symbol: str = "AAPL") -> Fill:
    values = {"id": name, "transaction_time": at, "side": side, "qty": qty, "price": price}
    return Fill.model_validate({**values, "symbol": symbol})


@respx.mock
async def test_an_analysis_reads_what_its_symbols_were_opened_with(journal: Trades) -> None:
    journal.add(
        [
            fill("z", "2023-12-01T20:00:00Z", "buy", "60", "100"),
            fill("y", "2023-12-01T20:00:00Z", "buy", "40", "100"),
            fill("x", "2023-12-02T20:00:00Z", "buy", "1", "9", "OTHER"),
            # a sale and a purchase of one instant, in the order of neither
            fill("a", "2024-01-09T20:00:00Z", "sell", "5", "70", "TSLA"),
            fill("b", "2024-01-09T20:00:00Z", "buy", "5", "69", "TSLA"),
            fill("c", "2024-01-10T20:00:00Z", "sell", "100", "140"),
            fill("d", "2024-01-11T20:00:00Z", "sell", "1", "3", CALL),
            fill("e", "2024-02-01T20:00:00Z", "buy", "1", "3"),
        ]
    )
    body = {"choices": [{"message": {"content": "AAPL carried it."}, "finish_reason": "stop"}]}
    route = respx.post(f"{openai.API}/chat/completions").respond(200, json=body)
    january = AnalysisRequest(first=dt.date(2024, 1, 1), last=dt.date(2024, 1, 31))

    result = await analyse_trades(january)

    assert result["trades"] == 4
    assert result["results"] == {"TSLA": "5", "AAPL": "4000", CALL: "unknown"}
    shown = json.loads(route.calls[0].request.content)["messages"][1]["content"]
    assert shown.splitlines() == ["TSLA: 5", "AAPL: 4000", f"{CALL}: unknown"]
