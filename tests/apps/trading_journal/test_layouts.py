"""Headers of brokers and vendors: imported, or refused with the reason that is true."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.apps.trading_journal.rows import DecimalSign
from functions.apps.trading_journal.table import Line, RejectedLine, read_header, read_prices
from shared import Discard


def read(content: str, symbol: str | None = None) -> list[Line | RejectedLine]:
    return list(read_prices(io.BytesIO(content.encode()), symbol))


class Sample(NamedTuple):
    """A file of one row; the symbol where it has no such column."""

    header: str
    row: str
    symbol: str | None = None


IMPORTED = {
    "Yahoo Finance": Sample(
        "Date,Open,High,Low,Close,Adj Close,Volume",
        "2000-03-01,118.56,132.06,118.50,130.31,4.18,9616100",
        "AAPL",
    ),
    "yfinance, with time zones": Sample(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits",
        "2000-03-01 00:00:00-05:00,0.8900000000000001,0.99,0.89,0.97,9616100,0.0,0.0",
        "AAPL",
    ),
    "Stooq, one symbol": Sample(
        "Date,Open,High,Low,Close,Volume",
        "2000-03-01,118.56,132.06,118.5,130.31,9616100",
        "AAPL",
    ),
    "Stooq, bulk": Sample(
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        "AAPL.US,D,20000301,000000,118.56,132.06,118.5,130.31,9616100,0",
    ),
    "Alpha Vantage": Sample(
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount",
        "2000-03-01,118.56,132.06,118.5,130.31,4.18,9616100,0.0000",
        "AAPL",
    ),
    "Tiingo": Sample(
        "date,close,high,low,open,volume,adjClose,adjHigh,divCash,splitFactor",
        "2000-03-01,130.31,132.06,118.5,118.56,9616100,4.18,4.2,0.0,1.0",
        "AAPL",
    ),
    "EOD Historical Data": Sample(
        "Date,Open,High,Low,Close,Adjusted_close,Volume",
        "2000-03-01,118.56,132.06,118.5,130.31,4.18,9616100",
        "AAPL",
    ),
    "Quandl WIKI": Sample(
        "ticker,date,open,high,low,close,volume,ex-dividend,adj_open,adj_close",
        "AAPL,2000-03-01,118.56,132.06,118.5,130.31,9616100,0.0,4.1,4.18",
    ),
    "Alpaca, days in UTC": Sample(
        "symbol,timestamp,open,high,low,close,volume,trade_count,vwap",
        "AAPL,2000-03-01T00:00:00Z,118.56,132.06,118.5,130.31,9616100,5,120.1",
    ),
    "a spreadsheet with semicolons": Sample(
        "sep=;\nTicker;Date;Open;High;Low;Close;Volume",
        "AAPL;2000-03-01;118.56;132.06;118.5;130.31;9616100",
    ),
    "tabs": Sample(
        "Ticker\tDate\tOpen\tHigh\tLow\tClose\tVolume",
        "AAPL\t2000-03-01\t118.56\t132.06\t118.5\t130.31\t9616100",
    ),
    "bars": Sample(
        "Ticker|Date|Open|High|Low|Close|Volume",
        "AAPL|2000-03-01|118.56|132.06|118.5|130.31|9616100",
    ),
    "a space after each comma, quotes after it": Sample(
        "Ticker, Date, Open, High, Low, Close, Volume, Note",
        '"AAPL", 2000-03-01, 118.56, 132.06, 118.5, 130.31 , 9616100 , "a, b"',
    ),
    "blank lines before the header": Sample(
        "\n  \r\n\nTicker,Date,Open,High,Low,Close,Volume",
        "AAPL,2000-03-01,118.56,132.06,118.5,130.31,9616100",
    ),
    "floats of a program": Sample(
        "Ticker,Date,Open,High,Low,Close,Volume",
        "AAPL,2000-03-01,118.560000000000002274,118.56,118.5,118.500000000000014211,9616100",
    ),
}


ADJUSTED = [
    *("Adj Close", "adj_close", "adj-close", "AdjClose", "adjClose", "Adj. Close", "Adj Close*"),
    *(
        "Adj Close**",
        "Adj. Close*",
        "AdjustedClose",
        "Adjusted Close",
        "adjusted_close",
        "closeadj",
    ),
    *(
        "5. adjusted close",
        "AdjClosePrice",
        "adjusted",
        "Close (adj)",
        "<ADJ_CLOSE>",
        " ADJ  CLOSE ",
    ),
]


@pytest.mark.parametrize("name", ADJUSTED)
def test_an_adjusted_close_is_known_however_it_is_spelled(name: str) -> None:
    header = f"Date,Open,High,Low,Close,{name},Volume"

    (line,) = read(f"{header}\n2000-06-20,101.25,103.94,100,101.25,3.25,4500000\n", "AAPL")

    assert isinstance(line, Line)
    assert (line.row.close, line.row.adj_close) == (Decimal("101.25"), Decimal("3.25"))


SPELLED = [
    str,
    str.upper,
    str.lower,
    lambda name: f"<{name}>",
    lambda name: f" {name} ",
    lambda name: f"{name}**",
    lambda name: f"2. {name}",
    lambda name: f"_{name}_",
]


@pytest.mark.parametrize("spell", SPELLED)
@pytest.mark.parametrize("price", ["", " Price", "_price", "Price"])
def test_every_column_is_known_however_it_is_spelled(
    spell: Callable[[str], str], price: str
) -> None:
    prices = [f"{name}{price}" for name in ("Open", "High", "Low", "Close")]
    names = [spell(name) for name in ("Ticker", "Trade Date", *prices, "Volume")]

    (line,) = read(f"{','.join(names)}\nAAPL,2000-06-20,101.25,103.94,100,101.25,4500000\n")

    assert isinstance(line, Line)
    assert (line.row.symbol, line.row.close, line.row.volume) == (
        "AAPL",
        Decimal("101.25"),
        4500000,
    )


@pytest.mark.parametrize(
    ("names", "unread"),
    [
        ("Adj Close", []),
        ("Adj Close USD,Dividends", ["adjcloseusd"]),
        ("adjClose,adjHigh,Unadjusted Volume", ["adjhigh", "unadjustedvolume"]),
        (",".join(f"adj{n}" for n in range(40)), [f"adj{n}" for n in range(20)]),
        ("adj" + "x" * 99, ["adj" + "x" * 37]),
    ],
)
def test_columns_that_may_be_adjusted_and_are_not_read_are_named(
    names: str, unread: list[str]
) -> None:
    stream = io.BytesIO(f"Ticker,Date,Open,High,Low,Close,Volume,{names}\n".encode())

    assert read_header(stream).unread_adjustments == unread
    assert stream.tell() == 0


@pytest.mark.parametrize("vendor", IMPORTED)
def test_a_file_of_this_vendor_is_imported(vendor: str) -> None:
    sample = IMPORTED[vendor]

    rows = read(f"{sample.header}\n{sample.row}\n", sample.symbol)

    assert [type(row) for row in rows] == [Line], rows
    (line,) = rows
    assert isinstance(line, Line)
    assert (line.row.symbol[:4], line.row.date.isoformat()) == ("AAPL", "2000-03-01")
    assert line.row.volume == 9616100


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        # Yahoo, and no symbol was given
        (IMPORTED["Yahoo Finance"].header, "missing: symbol; add it, or give the symbol of all"),
        # Investing.com: the close is called Price
        (
            '"Date","Price","Open","High","Low","Vol.","Change %"',
            "missing: close, symbol; found, with a comma between them: date, high, low, open, vol",
        ),
        # Polygon's flat files: an instant in nanoseconds in place of a day
        (
            "ticker,volume,open,close,high,low,window_start,transactions",
            "missing: date; found, with a comma between them: close, high, low, open, symbol",
        ),
        # Bloomberg
        ("Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME", "missing: close, high, low, open"),
        # Interactive Brokers' statement
        ("Statement,Header,Field Name,Field Value", "the first line has none of the columns"),
        ("Ticker;Date;Open", "missing: .*; found, with a semicolon between them: date, open"),
    ],
)
def test_a_header_without_our_columns_is_refused_by_their_names(content: str, reason: str) -> None:
    with pytest.raises(Discard, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("content", "column", "reason"),
    [
        # Nasdaq: days as MM/DD/YYYY, prices with a currency sign
        (
            "Date,Close/Last,Volume,Open,High,Low\n03/01/2000,$130.31,9616100,$118.56,$132.06,$118.5\n",
            "date",
            "write the day as YYYY-MM-DD",
        ),
        (
            "Date,Close/Last,Volume,Open,High,Low\n2000-03-01,$130.31,9616100,118.56,132.06,118.5\n",
            "close",
            "valid decimal",
        ),
        # a spreadsheet with semicolons and decimal commas
        (
            "Date;Open;High;Low;Close;Volume\n2000-03-01;118,56;132,06;118,5;130,31;9616100\n",
            "open",
            "write numbers with a point",
        ),
    ],
)
def test_a_row_in_other_conventions_is_rejected_with_what_to_write(
    content: str, column: str, reason: str
) -> None:
    (fault,) = read(content, "AAPL")

    assert isinstance(fault, RejectedLine)
    assert fault.column == column
    assert reason in fault.reason


STOOQ = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (STOOQ, "AAPL.US,60,20000301,{hour:02}0000,1,2,1,2,5"),
        (STOOQ.replace(",", ";"), "AAPL.US;60;20000301;{hour:02}0000;1;2;1;2;5"),
        ("Symbol,Date,Time,Open,High,Low,Close,Volume", "X,2000-03-01,{hour:02}:00,1,2,1,2,5"),
        ("Symbol,Date,Hour,Open,High,Low,Close,Volume", "X,2000-03-01,{hour},1,2,1,2,5"),
        ("Symbol,timestamp,Open,High,Low,Close,Volume", "X,2000-03-01 {hour:02}:00,1,2,1,2,5"),
        ("Symbol,Date,Open,High,Low,Close,Volume", "X,2000-03-01T{hour:02}:00:00Z,1,2,1,2,5"),
    ],
)
@pytest.mark.parametrize("hours", [range(24), range(23, -1, -1), [0] * 40 + [1], [9]])
def test_a_file_with_prices_within_days_is_refused_before_its_first_row(
    header: str, row: str, hours: Iterable[int]
) -> None:
    rows = read_prices(
        io.BytesIO("\n".join([header, *(row.format(hour=hour) for hour in hours)]).encode())
    )

    with pytest.raises(Discard, match="has a time of day: this file has prices within days"):
        next(rows)


GERMAN = "Ticker;Date;Open;High;Low;Close;Volume"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("volume", ["41.000", "41.500", "1.000", "999.000.000"])
def test_a_volume_that_may_have_points_between_thousands_is_refused_before_the_first_row(
    delimiter: str, volume: str
) -> None:
    content = (
        f"{GERMAN}\nTOYOTA;2024-01-03;2.612;2.668;2.590;2.666;500\n"
        f"TOYOTA;2024-01-04;2.612;2.668;2.590;2.666;{volume}\n"
    )

    with pytest.raises(Discard, match=r"line 3: a volume .* write numbers without separators"):
        next(read_prices(io.BytesIO(content.replace(";", delimiter).encode())))


def test_a_price_with_points_beside_prices_with_decimal_commas_is_refused() -> None:
    content = (
        f"{GERMAN}\nTOYOTA;2024-01-04;2.612;2.668;2.590;2.666;500\n"
        "TOYOTA;2024-01-05;2.612,5;2.668;2.590;2.666;500\n"
    )

    with pytest.raises(Discard, match="line 3: a price has a point before three digits"):
        read(content)


@pytest.mark.parametrize(
    ("delimiter", "volume"),
    [(",", "41.000"), (",", "41"), (",", "9616100"), (";", "41.0"), (";", "41000.000")],
)
def test_points_that_are_decimal_ones_are_read(delimiter: str, volume: str) -> None:
    content = f"{GERMAN}\nTOYOTA;2024-01-04;2.612;2.668;2.590;2.666;{volume}\n"

    (line,) = read(content.replace(";", delimiter))

    assert isinstance(line, Line)
    assert (str(line.row.open), line.row.volume) == ("2.612", int(float(volume)))


UNTOLD = "no number of the file tells which; write numbers without separators, or give .decimal.: "
AMBIGUOUS: dict[str, tuple[list[str], str]] = {
    "whole prices": (["41.000;41.500;40.800;41.200;1840"], UNTOLD),
    "an index, without volume": (["16.000;16.500;15.800;16.200;0"], UNTOLD),
    "prices of three decimals": (["2.612;2.668;2.590;2.666;9616100"], UNTOLD),
    "across 1,000 in a day": (["998;1.004;990;1.001;1840"], UNTOLD),
    "across 1,000 between days": (
        ["998;999;990;995;1840", "1.001;1.004;1.000;1.003;1840", "999;999;990;991;1840"],
        UNTOLD,
    ),
    "one grouped price of a thousand days": (
        [*["995;999;990;998;1840"] * 1000, "999;1.002;995;999;1840"],
        UNTOLD,
    ),
    "millions": (["1.041.000;1.041.500;1.040.800;1.041.200;18"], "as other numbers"),
    "a decimal comma": (["41.000;41.500;40.800;41.200,5;18"], "as other numbers"),
    "a decimal comma elsewhere": (["998,5;999;990,1;995;1", "1.001;1.004;1.000;1.003;1"], "tell"),
    "a volume of German decimals": (["41.000;41.500;40.800;41.200;1840,5"], "as other numbers"),
    "both signs": (["41.000;41.500;40.800;41.200;18", "41,5;42.5;40;41.25;18"], "don't agree"),
}


@pytest.mark.parametrize("delimiter", [";", "\t", "|", '","'])
@pytest.mark.parametrize("rows", AMBIGUOUS)
def test_a_file_whose_points_may_stand_between_thousands_is_refused_before_the_first_row(
    rows: str, delimiter: str
) -> None:
    prices, reason = AMBIGUOUS[rows]
    content = german(prices, delimiter)

    with pytest.raises(Discard, match=f"a (price|volume) has a point before three .*{reason}"):
        next(read_prices(io.BytesIO(content.encode())))


def german(prices: list[str], delimiter: str = ";") -> str:
    """A file of one symbol. `","`: with commas, and each field in quotes."""
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=n) for n in range(len(prices))]
    lines = [GERMAN, *(f"DAX;{day};{price}" for day, price in zip(days, prices, strict=True))]
    if delimiter == '","':
        lines = [f'"{line}"' for line in lines]
    return "\n".join(lines).replace(";", delimiter) + "\n"


@pytest.mark.parametrize("delimiter", [";", "\t", "|", '","'])
@pytest.mark.parametrize(
    ("prices", "decimal", "close", "volume"),
    [
        ("41.000;41.500;40.800;41.200;1840", "comma", "41200", 1840),
        ("41.000;41.500;40.800;41.200;1840", "point", "41.200", 1840),
        ("998;1.004;990;1.001;1.840", "comma", "1001", 1840),
        ("998,5;1.004,75;990;1.001,25;1.840.000", "comma", "1001.25", 1840000),
        ("1.041.000;1.041.500;1.040.800;1.041.200;18", "comma", "1041200", 18),
        ("0,612;0,668;0,59;0,666;8,25E+07", "comma", "0.666", 82500000),
        ("118;120;117;119;1.840,5", "comma", "119", 1840),
        ("2.612;2.668;2.590;2.666;41.000", "point", "2.666", 41),
        ("118.56;132.06;118.5;130.31;41.000", None, "130.31", 41),
        ("2.612;2.668;2.590;2.6665;41.000", None, "2.6665", 41),
        ("0.612;1.668;0.590;1.234;41", None, "1.234", 41),
    ],
)
def test_a_file_whose_decimal_sign_is_told_is_read(
    prices: str, decimal: DecimalSign | None, close: str, volume: int, delimiter: str
) -> None:
    (line,) = read_prices(io.BytesIO(german([prices], delimiter).encode()), None, decimal)

    assert isinstance(line, Line), line
    assert (str(line.row.close), line.row.volume) == (close, volume)
    assert line.rounded == (prices.endswith(",5"))


@pytest.mark.parametrize(
    ("prices", "decimal"),
    [
        ("41.000;41.500;40.800;41.200,5;18", "point"),
        ("41.000;41.500;40.800;41.25;18", "comma"),
    ],
)
def test_a_sign_that_the_file_contradicts_is_refused(prices: str, decimal: DecimalSign) -> None:
    with pytest.raises(Discard, match=r"line 2: a price .* or `decimal`, don't agree"):
        next(read_prices(io.BytesIO(german([prices]).encode()), None, decimal))


@pytest.mark.parametrize(
    ("prices", "column"),
    [
        ("118.5;120;117;119;18", "open"),
        ("118;1,200;117;119;18", "open"),  # 1.2: in the file's convention
        ("1184.000;1200;1170;1190;18", "open"),
        ("118;120;117;119;1.84", "volume"),
        ("118;120;117,5,5;119;18", "low"),
    ],
)
def test_a_number_of_another_convention_is_rejected(prices: str, column: str) -> None:
    (fault,) = read_prices(io.BytesIO(german([prices]).encode()), None, "comma")

    assert isinstance(fault, RejectedLine)
    if "1,200" in prices:
        assert (fault.column, fault.reason) == ("high", "high is below open")
    else:
        assert fault.column == column
        assert fault.reason == "write numbers with a decimal comma, as 1.234,5"


def written(value: Decimal, *, comma: bool, groups: bool) -> str:
    """A number as a program of this convention writes it."""
    text = f"{value:,f}" if groups else f"{value:f}"
    return text.translate(str.maketrans(",.", ".,")) if comma else text


PRICES = st.decimals("0.5", 3_000_000, places=3) | st.integers(1, 3_000_000).map(Decimal)


@given(
    st.lists(PRICES.map(Decimal.normalize), min_size=1, max_size=6),
    st.sampled_from([";", "\t", "|", '","']),
    st.sampled_from([None, 0, 1, 2, 3]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_no_price_is_a_thousandth_or_a_thousand_times_of_what_was_written(
    prices: list[Decimal],
    delimiter: str,
    places: int | None,
    comma: bool,
    groups: bool,
    groups_volumes: bool,
    given_sign: bool,
) -> None:
    """Whatever the convention: a file is read as it was meant, or refused."""
    if places is not None:
        prices = [max(round(price, places), Decimal(1)) for price in prices]
    volume = written(Decimal(1840), comma=comma, groups=groups_volumes)
    texts = [written(price, comma=comma, groups=groups) for price in prices]
    content = german([f"{text};{text};{text};{text};{volume}" for text in texts], delimiter)
    sign: DecimalSign | None = ("comma" if comma else "point") if given_sign else None

    try:
        rows = list(read_prices(io.BytesIO(content.encode()), None, sign))
    except Discard:
        assert not given_sign
        return

    for price, row in zip(prices, rows, strict=True):
        if isinstance(row, Line):
            assert (row.row.close, row.row.volume) == (price, 1840)
        else:
            assert "write numbers with a point and without separators" in row.reason
            assert groups or groups_volumes or comma


@pytest.mark.parametrize("ending", ["", "{0}", "{0}{0}", "{0} {0}"])
@pytest.mark.parametrize("titled", [True, False])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("last", ["Volume", "Volume;Adj Close", "Volume;Note", "Volume;"])
def test_rows_and_header_may_end_in_delimiters_or_not(
    last: str, delimiter: str, titled: bool, ending: str
) -> None:
    end = ending.format(delimiter)
    extra = ";4.18" if ";" in last.rstrip(";") else ""
    header = f"Ticker;Date;Open;High;Low;Close;{last}".replace(";", delimiter)
    row = f"AAPL;2000-03-01;118.56;132.06;118.5;130.31;9616100{extra}".replace(";", delimiter)

    (line,) = read(f"{header}{end if titled else ''}\n{row}{'' if titled else end}\n")

    assert isinstance(line, Line), line
    assert line.row.volume == 9616100
    assert line.row.adj_close == (Decimal("4.18") if "Adj" in last else None)


@pytest.mark.parametrize("last", ["Adj Close", "Note"])
@pytest.mark.parametrize(
    "row", ["118.56,132.06,118.5,130.31,9,616,", "118.56,132.06,118.5,130.31,961,610,"]
)
def test_a_comma_within_a_number_does_not_pass_as_a_delimiter_at_the_end(
    row: str, last: str
) -> None:
    """Of `9,616` and an empty last column; a volume of 9 would be wrong."""
    header = f"Ticker,Date,Open,High,Low,Close,Volume,{last}"

    (fault,) = read(f"{header}\nAAPL,2000-03-01,{row}\n")

    assert isinstance(fault, RejectedLine)
    assert fault.reason == "9 fields where the header has 8"


def test_a_symbol_beside_a_column_of_symbols_is_refused() -> None:
    with pytest.raises(Discard, match="leave out `symbol`"):
        read(IMPORTED["tabs"].header, "MSFT")


@pytest.mark.parametrize("secret", ["password=hunter2", "<title>Intranet", '{"key": "hunter2"}'])
def test_no_text_of_the_file_is_in_the_reason(secret: str) -> None:
    with pytest.raises(Discard) as caught:
        read(f"{secret}\n{secret}\n")

    assert "hunter2" not in str(caught.value)
    assert "Intranet" not in str(caught.value)
