"""Files in either order, with gaps and doubles: a row has the close of the day before, or none."""

from __future__ import annotations

import datetime as dt
import io
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.trading_journal import chains
from functions.apps.trading_journal.chains import Chains, RowAndPrevious
from functions.apps.trading_journal.rows import PriceRow
from functions.apps.trading_journal.table import Line, RejectedLine, read_prices
from shared import Discard

FIRST = dt.date(2026, 1, 1)


def day(number: int, symbol: str = "A", line: int = 0) -> Line:
    """Day `number` closes at 100 + number."""
    close = Decimal(100 + number)
    row = PriceRow(
        symbol=symbol,
        date=FIRST + dt.timedelta(days=number),
        open=close,
        high=close,
        low=close,
        close=close,
        volume=1,
    )
    return Line(line or number, row)


def read(*lines: Line | RejectedLine) -> list[RowAndPrevious | RejectedLine]:
    all_chains = Chains()
    return [*(entry for line in lines for entry in all_chains.add(line)), *all_chains.end()]


def previous(*lines: Line | RejectedLine) -> dict[tuple[str, int], int | None]:
    """(symbol, day) -> the day whose close came before; None: not known."""
    return {
        (entry.line.row.symbol, (entry.line.row.date - FIRST).days): None
        if entry.previous is None
        else int(entry.previous) - 100
        for entry in read(*lines)
        if isinstance(entry, RowAndPrevious)
    }


@pytest.mark.parametrize("step", [1, -1])
def test_either_order_gives_the_same_chain(step: int) -> None:
    days = [day(n) for n in range(250)][::step]

    assert previous(*days) == {("A", 0): None, **{("A", n): n - 1 for n in range(1, 250)}}


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 30)), unique=True), st.randoms())
def test_symbols_are_chained_apart_whatever_their_orders(
    days: list[tuple[str, int]], mixer: random.Random
) -> None:
    by_symbol = {s: sorted(n for symbol, n in days if symbol == s) for s in "ABC"}
    expected = {
        (s, n): (known[i - 1] if i else None)
        for s, known in by_symbol.items()
        for i, n in enumerate(known)
    }
    queues = [
        [day(n, s) for n in (known if mixer.random() < 0.5 else known[::-1])]
        for s, known in by_symbol.items()
    ]
    mixed = []
    while any(queues):
        mixed.append(mixer.choice([queue for queue in queues if queue]).pop(0))

    assert previous(*mixed) == expected


@pytest.mark.parametrize("step", [1, -1])
def test_a_rejected_day_leaves_a_gap_in_its_symbol_only(step: int) -> None:
    lines: list[Line | RejectedLine] = []
    for n in range(5):
        lines.append(RejectedLine(n, "volume", "0", "A") if n == 2 else day(n, "A"))
        lines.append(day(n, "B"))

    found = previous(*lines[::step])

    assert {n: before for (s, n), before in found.items() if s == "A"} == {
        0: None, 1: 0, 3: None, 4: 3
    }  # fmt: skip
    assert {n: before for (s, n), before in found.items() if s == "B"} == {
        0: None, 1: 0, 2: 1, 3: 2, 4: 3
    }  # fmt: skip


def test_a_line_whose_symbol_is_not_known_may_be_a_day_of_any() -> None:
    found = previous(day(0, "A"), day(0, "B"), RejectedLine(3, "", "?"), day(1, "A"), day(1, "B"))

    assert set(found.values()) == {None}


def test_a_rejected_line_of_a_symbol_without_other_days_is_no_gap() -> None:
    assert previous(day(0), RejectedLine(2, "open", "?", "Z"), day(1))["A", 1] == 0


@pytest.mark.parametrize("step", [1, -1])
def test_a_day_that_comes_twice_is_rejected_and_is_no_gap(step: int) -> None:
    entries = read(*[day(0), day(1), day(1, line=99), day(2)][::step])

    (fault,) = [entry for entry in entries if isinstance(entry, RejectedLine)]
    assert (fault.column, "comes twice" in fault.reason) == ("date", True)
    assert previous(*[day(0), day(1), day(1), day(2)][::step]) == {
        ("A", 0): None, ("A", 1): 0, ("A", 2): 1
    }  # fmt: skip


@pytest.mark.parametrize("step", [1, -1])
def test_a_day_out_of_order_is_rejected_and_the_next_has_no_false_return(step: int) -> None:
    numbers = [0, 1, 3, 2, 4, 5] if step == 1 else [5, 4, 2, 3, 1, 0]
    entries = read(*(day(n) for n in numbers))

    (fault,) = [entry for entry in entries if isinstance(entry, RejectedLine)]
    assert "out of order; sort each symbol by day" in fault.reason
    after = previous(*(day(n) for n in numbers))
    assert after["A", 4 if step == 1 else 2] is None


def test_symbols_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MOST_SYMBOLS", 3)

    with pytest.raises(Discard, match="over 3 symbols; split it"):
        read(*(day(0, symbol) for symbol in "ABCD"))


def closes(content: str) -> dict[int, float | None]:
    """The day of April -> the close before it; None: not known."""
    entries = read(*read_prices(io.BytesIO(content.encode()), "EURUSD=X"))
    rows = [entry for entry in entries if isinstance(entry, RowAndPrevious)]
    return {
        entry.line.row.date.day: None if entry.previous is None else float(entry.previous)
        for entry in rows
    }


HEAD = "Date,Open,High,Low,Close,Adj Close,Volume\n"
NOTHING = ["null,null,null,null,null,null", ",,,,,", "nan,NaN,nan,nan,nan,0", "-,-,-,-,-,-"]


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("step", [1, -1])
def test_a_row_without_prices_is_a_day_without_trade(nothing: str, step: int) -> None:
    rows = ["2021-04-01,10,11,9,10,10,5", f"2021-04-02,{nothing}", "2021-04-05,10,12,9,11,11,5"]

    assert closes(HEAD + "\n".join(rows[::step])) == {1: None, 5: 10.0}


def test_a_row_with_some_prices_is_a_day_that_is_missing() -> None:
    rows = ["2021-04-01,10,11,9,10,10,5", "2021-04-02,null,11,9,10,10,5"]

    assert closes(HEAD + "\n".join([*rows, "2021-04-05,10,12,9,11,11,5"])) == {1: None, 5: None}


@pytest.mark.parametrize("bad", ["null", "-0.01", "0", "", "x", "1e99"])
def test_a_bad_adjusted_close_costs_the_returns_beside_it_and_no_day(bad: str) -> None:
    days = [f"2021-04-{n:02},10,11,9,10,{bad if n == 2 else 10},5" for n in range(1, 6)]

    assert closes(HEAD + "\n".join(days)) == {1: None, 2: None, 3: None, 4: 10.0, 5: 10.0}


def test_an_index_and_a_currency_have_no_volume() -> None:
    days = [f"2021-04-{n:02},10,11,9,10,10,0" for n in (1, 2)]

    assert closes(HEAD + "\n".join(days)) == {1: None, 2: 10.0}
