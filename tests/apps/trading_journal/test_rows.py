"""Which rows are prices, and what one day says about the next."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.apps.trading_journal.price_math import (
    daily_return,
    restated,
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
        ("symbol", "", "write a symbol in at most 16"),
        ("symbol", "AA PL", "write a symbol in at most 16"),
        ("symbol", "/BRK", "as BRK.B or BTC-USD"),
        ("symbol", "&", "as BRK.B or BTC-USD"),
        ("symbol", "A\\B", "as BRK.B or BTC-USD"),
        ("symbol", "\u00df", "as BRK.B or BTC-USD"),  # in capitals SS
        ("symbol", "a\u017f", "as BRK.B or BTC-USD"),  # a long s, in capitals S
        ("symbol", "\u0131bm", "as BRK.B or BTC-USD"),  # an i without its dot, in capitals I
        ("symbol", "\ufb01", "as BRK.B or BTC-USD"),  # one letter for fi, in capitals FI
        ("symbol", "\u212a", "as BRK.B or BTC-USD"),  # the sign of kelvin
        ("symbol", "\u00c4PFEL", "as BRK.B or BTC-USD"),
        ("symbol", "A" * 17, "as BRK.B or BTC-USD"),
        ("symbol", "=cmd()", "write a symbol in at most 16"),
        ("date", "03/01/2000", "YYYY-MM-DD"),
        ("date", "200003011", "YYYY-MM-DD"),
        ("date", "2000-0301", "YYYY-MM-DD"),
        ("date", "951868800", "YYYY-MM-DD"),
        ("date", "2000-03-01T09:30:00Z", "one row a day"),
        ("date", "2000-03-01 00:01", "one row a day"),
        ("date", "2000-02-30", "valid date"),
        ("open", "0", "greater than 0"),
        ("open", "-1", "greater than 0"),
        ("open", "NaN", "finite"),
        ("open", "Infinity", "finite"),
        ("open", "n/a", "valid decimal"),
        ("open", "1,234.5", "with a point and without separators"),
        ("open", "1_0.1", "with a point and without separators"),
        ("open", "\u0661\u0662", "with a point and without separators"),
        ("open", "1\u00a0000.5", "with a point and without separators"),
        ("volume", "9_616_100", "with a point and without separators"),
        ("adj_close", "118_5", "with a point and without separators"),
        ("open", "118,56", "without separators; if the whole file has decimal commas, give"),
        ("open", "1.234,5", 'give "decimal": "comma"'),
        ("volume", "9,616,100", "with a point and without separators"),
        ("open", "118." + "1" * 25, "no more than 24 decimal places"),
        ("high", "118.55", "high is below open"),
        ("low", "133", "low is above high"),
        ("low", "119", "low is above open"),
        ("close", "132.07", "close is above high"),
        ("close", "118.49", "close is below low"),
        ("close", "1000000001", "less than or equal"),
        ("volume", "-1", "greater than or equal to 0"),
        ("volume", "-5", "greater than or equal to 0"),
        ("volume", "-0.4", "greater than or equal to 0"),
        ("volume", "-8.25E+07", "greater than or equal to 0"),
        ("volume", "-1E+999", "greater than or equal to 0"),
        ("volume", str(2**63), "less than"),
        ("volume", f"{2**63}.5", "less than"),
        ("volume", f"{2**63 - 1}.5", "less than"),
        ("volume", "9.3E+18", "less than"),
        ("volume", "1E+999", "less than"),
        ("volume", "1E+999999999", "valid integer"),
        *(("volume", odd, "valid integer") for odd in ("NaN", "inf", ".", "1e", "8.25M", "0x1F")),
        ("adj_close", "0", "greater than 0"),
    ],
)
def test_a_bad_value_is_refused_under_its_own_column(column: str, text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        row(**{column: text})

    fault = caught.value.errors()[0]
    assert fault["loc"] == (column,)
    assert reason in fault["msg"]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        *(("82488674.1234", 82488674), ("58414460.5", 58414460), ("58414461.5", 58414462)),  # Stooq
        *(("1831.42", 1831), ("0.42", 0), ("82488674.0", 82488674), ("8.", 8), (".9", 1)),
        *(("8.25E+07", 82500000), ("8.25e7", 82500000), ("825E-2", 8), ("1E-999", 0)),
        *(("0", 0), ("-0", 0), ("-0.0", 0), ("+8", 8), ("007", 7)),
        (str(2**63 - 1), 2**63 - 1),
        (f"{2**63 - 1}.4", 2**63 - 1),
        (f"9.{'0' * 5000}", 9),
    ],
)
def test_a_volume_is_read_in_whole_shares(text: str, shares: int) -> None:
    assert row(volume=text).volume == shares


@pytest.mark.parametrize("symbol", ["M&M.NS", "BRK/B", "BTC/USD", "^GSPC", "EURUSD=X", "L&TFH"])
def test_symbols_of_every_exchange_are_read(symbol: str) -> None:
    assert row(symbol=symbol.lower()).symbol == symbol


@pytest.mark.parametrize(
    "date",
    [
        *("20000301", "2000-03-01T00:00:00Z", "2000-03-01 00:00:00-05:00", "2000-03-01 00:00"),
        *("2000-03-01T00:00:00.000+0100", "2000-03-01T00:00:00.000000"),
    ],
)
def test_a_day_may_be_written_without_signs_or_as_its_midnight(date: str) -> None:
    assert row(date=date).date == dt.date(2000, 3, 1)


@pytest.mark.parametrize("date", [20000301, 951868800, 951868800.0, None, True])
def test_a_number_is_no_day(date: object) -> None:
    with pytest.raises(ValidationError, match="YYYY-MM-DD"):
        PriceRow.model_validate({**GOOD, "date": date})


@given(
    st.floats(0.0001, 1e8),
    st.sampled_from(["open", "close"]),
    st.booleans(),
    st.sampled_from(["{!r}", "{:.17g}", "{:.24f}"]),
)
@example(1000.9, "open", True, "{:.17g}")  # a step of a float may be two of the 17th digit
@example(0.0024, "open", True, "{:.24f}")
def test_an_error_of_floats_is_no_contradiction(
    price: float, column: str, above: bool, form: str
) -> None:
    """Programs write a float in 17 digits or more, or in as few as tell it from its neighbours;
    their sums are off by the last bit."""
    off = math.nextafter(price, math.inf if above else 0)
    written = {**dict.fromkeys(("open", "high", "low", "close"), price), column: off}

    read = row(**{name: form.format(value) for name, value in written.items()})

    assert read.low <= min(read.open, read.close)
    assert max(read.open, read.close) <= read.high


def test_three_ulps_are_a_contradiction() -> None:
    high = 118.5
    opened = math.nextafter(math.nextafter(math.nextafter(high, 200), 200), 200)

    with pytest.raises(ValidationError, match="high is below open"):
        row(open=repr(opened), high=repr(high), low="1", close="118")


def test_a_symbol_is_trimmed_and_in_capitals() -> None:
    assert row(symbol=" brk.b ").symbol == "BRK.B"


def test_the_first_day_has_no_return_and_its_own_span() -> None:
    first = row()

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
    last = row(date="2005-02-25", adj_close="5.7182276557615", **before)
    split = row(date="2005-02-28", adj_close="5.7651352430039", **after)

    previous = restated(last, split)

    assert previous == Decimal("44.495000")
    assert daily_return(split, previous) == Decimal("0.008203")


def test_without_adjusted_closes_the_plain_close_is_used() -> None:
    plain = PriceRow.model_validate({k: v for k, v in GOOD.items() if k != "adj_close"})

    assert restated(plain, row(date="2000-03-02")) == Decimal("130.31")


def test_the_widest_prices_overflow_nothing() -> None:
    wide = {"open": "1000000000", "high": "1000000000", "low": "1000000000", "close": "1000000000"}
    last = row(**wide, adj_close="1000000000")
    tiny = row(**wide, date="2000-03-02", adj_close="0.000000000000000000000001")

    assert daily_return(tiny, restated(last, tiny)) == Decimal(-1)


def test_a_previous_close_too_small_to_state_is_left_out() -> None:
    last = row(adj_close="0.0000000000000001")

    assert restated(last, row(date="2000-03-02", adj_close="1000000000")) is None
