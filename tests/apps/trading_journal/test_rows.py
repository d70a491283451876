"""Which rows are prices, and what one day says about the next."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from pydantic import ValidationError

from functions.apps.trading_journal.price_math import (
    OutOfOrder,
    PreviousCloses,
    daily_return,
    true_range,
)
from functions.apps.trading_journal.rows import PriceRow

GOOD = {
    "symbol": "AAPL",
    "date": "2000-03-01",
    "open": "118.56",
    "high": "132.06",
    "low": "118.5",
    "close": "130.31",
    "volume": "9616100",
    "adj_close": "4.186662803811",
}


def row(**changes: str) -> PriceRow:
    return PriceRow.model_validate({**GOOD, **changes})


def test_a_good_row_keeps_its_decimals_digit_for_digit() -> None:
    read = row()

    assert (read.symbol, read.date, read.volume) == ("AAPL", dt.date(2000, 3, 1), 9616100)
    assert str(read.close) == "130.31"
    assert str(read.adj_close) == "4.186662803811"
    assert PriceRow.model_validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("symbol", "", "match pattern"),
        ("symbol", "AA PL", "match pattern"),
        ("symbol", "=cmd()", "match pattern"),
        ("date", "20000301", "YYYY-MM-DD"),
        ("date", "03/01/2000", "YYYY-MM-DD"),
        ("date", "2000-02-30", "valid date"),
        ("open", "0", "greater than 0"),
        ("open", "-1", "greater than 0"),
        ("open", "NaN", "finite"),
        ("open", "Infinity", "finite"),
        ("open", "n/a", "valid decimal"),
        ("open", "1,234.5", "valid decimal"),
        ("high", "118.55", "high is below open"),
        ("low", "133", "low is above high"),
        ("low", "119", "low is above open"),
        ("close", "132.07", "close is above high"),
        ("close", "118.49", "close is below low"),
        ("close", "1000000001", "less than or equal"),
        ("volume", "0", "greater than 0"),
        ("volume", "-5", "greater than 0"),
        ("volume", "12.5", "valid integer"),
        ("volume", str(2**63), "less than"),
        ("adj_close", "0", "greater than 0"),
    ],
)
def test_a_bad_value_is_refused_under_its_own_column(column: str, text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        row(**{column: text})

    fault = caught.value.errors()[0]
    assert fault["loc"] == (column,)
    assert reason in fault["msg"]


def test_a_symbol_is_trimmed_and_in_capitals() -> None:
    assert row(symbol=" brk.b ").symbol == "BRK.B"


def test_the_first_day_has_no_return_and_its_own_span() -> None:
    first = row()

    assert PreviousCloses().advance(first) is None
    assert daily_return(first, None) is None
    assert true_range(first, None) == Decimal("13.56")


def test_a_gap_between_days_belongs_to_the_true_range() -> None:
    gap_down = row(open="100", high="105", low="99", close="101")
    gap_up = row(open="140", high="145", low="139", close="141")

    assert true_range(gap_down, Decimal("130.31")) == Decimal("31.31")
    assert true_range(gap_up, Decimal("130.31")) == Decimal("14.69")


def test_a_split_is_no_loss() -> None:
    before = {"open": "89", "high": "90", "low": "88", "close": "88.99"}
    after = {"open": "44.68", "high": "45.14", "low": "43.96", "close": "44.86"}
    closes = PreviousCloses()
    closes.advance(row(date="2005-02-25", adj_close="5.7182276557615", **before))
    split = row(date="2005-02-28", adj_close="5.7651352430039", **after)

    previous = closes.advance(split)

    assert previous == Decimal("44.495000")
    assert daily_return(split, previous) == Decimal("0.008203")


def test_without_adjusted_closes_the_plain_close_is_used() -> None:
    closes = PreviousCloses()
    closes.advance(PriceRow.model_validate({k: v for k, v in GOOD.items() if k != "adj_close"}))

    assert closes.advance(row(date="2000-03-02")) == Decimal("130.31")


@pytest.mark.parametrize("date", ["2000-03-01", "2000-02-29"])
def test_a_day_that_does_not_come_after_the_last_is_out_of_order(date: str) -> None:
    closes = PreviousCloses()
    closes.advance(row())

    with pytest.raises(OutOfOrder, match="oldest first"):
        closes.advance(row(date=date))


def test_symbols_are_followed_apart() -> None:
    closes = PreviousCloses()
    closes.advance(row())

    assert closes.advance(row(symbol="FB", date="1999-01-04")) is None


def test_the_widest_prices_overflow_nothing() -> None:
    closes = PreviousCloses()
    wide = {"open": "1000000000", "high": "1000000000", "low": "1000000000", "close": "1000000000"}
    closes.advance(row(**wide, adj_close="1000000000"))

    tiny = row(**wide, date="2000-03-02", adj_close="0.0000000000000001")

    assert daily_return(tiny, closes.advance(tiny)) == Decimal(-1)


def test_a_previous_close_too_small_to_state_is_left_out() -> None:
    closes = PreviousCloses()
    closes.advance(row(adj_close="0.0000000000000001"))

    assert closes.advance(row(date="2000-03-02", adj_close="1000000000")) is None
