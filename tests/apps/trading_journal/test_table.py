"""Files as people and banks write them."""

from __future__ import annotations

import io
from unittest.mock import patch

import pytest

from functions.apps.trading_journal.layout import Layout
from functions.apps.trading_journal.table import (
    LONGEST_LINE,
    MOST_LINES,
    Line,
    RejectedLine,
    read_prices,
)
from shared import Discard


def read(content: str | bytes) -> list[Line | RejectedLine]:
    return list(read_prices(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def rejected(content: str) -> RejectedLine:
    only = [line for line in read(content) if isinstance(line, RejectedLine)]
    assert len(only) == 1
    return only[0]


def test_line_numbers_are_those_an_editor_shows(lines: list[str]) -> None:
    rows = read("\n".join([lines[0], "", *lines[1:]]))

    assert [row.line for row in rows if isinstance(row, Line)] == [3, 4]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "\ufeff\ufeff", "\ufeff" * 3 + "\r\n"])
def test_line_ends_and_byte_order_marks_of_every_system_are_read(
    lines: list[str], end: str, mark: str
) -> None:
    rows = read(mark + end.join(lines) + end)

    assert [type(row) for row in rows] == [Line, Line]


def test_quotes_hide_commas_and_line_ends(lines: list[str]) -> None:
    header, first, second = lines
    content = f'{header},"Note, if any"\n{first},"bought\nwith ""care"", and late"\n"{second[:4]}"'

    rows = read(content + second[4:] + ",\n")

    assert [row.line for row in rows if isinstance(row, Line)] == [3, 4]


def test_columns_may_come_in_any_order_case_and_spelling() -> None:
    rows = read(
        " CLOSE ,volume,High,low,open,date,SYMBOL,adjusted close,broker\n"
        "10,5,11,9,10,2020-01-02,X,10,someone\n"
    )

    assert isinstance(rows[0], Line)
    assert rows[0].row.adj_close == 10


def test_an_empty_optional_column_is_no_value(lines: list[str]) -> None:
    rows = read(f"{lines[0]}\n{lines[1].rpartition(',')[0]},\n")

    assert isinstance(rows[0], Line)
    assert rows[0].row.adj_close is None


def test_a_missing_column_is_named_with_what_was_found(lines: list[str]) -> None:
    with pytest.raises(Discard, match=r"columns missing: volume; found, with a comma .*, symbol$"):
        read(lines[0].replace("Volume", "Secret") + "\n" + lines[1])


def test_a_web_page_is_no_csv() -> None:
    with pytest.raises(Discard, match="the first line has none of the columns: close, date"):
        read("<!doctype html>\n<title>Sign in</title>\n")


def test_a_column_given_twice_is_refused(lines: list[str]) -> None:
    with pytest.raises(Discard, match="duplicate columns: symbol"):
        read(lines[0] + ",Symbol\n")


def test_a_broken_header_is_refused(lines: list[str]) -> None:
    with pytest.raises(Discard, match="no CSV header"):
        read('"Ticker"x,' + lines[0])


def test_a_header_alone_has_no_rows(lines: list[str]) -> None:
    assert read(lines[0]) == []


@pytest.mark.parametrize(
    "content", ["", "\ufeff", "\ufeff\ufeff", "\n", " \r\n\t\n", "\ufeff\n\n", "sep=;\n\n"]
)
def test_a_file_without_a_line_of_text_is_empty(content: str) -> None:
    with pytest.raises(Discard, match="the file is empty"):
        read(content)


def test_a_bad_value_is_rejected_with_line_column_and_reason(lines: list[str]) -> None:
    bad = lines[1].replace("132.06", "118.0")

    assert rejected(f"{lines[0]}\n{bad}\n{lines[2]}") == RejectedLine(
        2, "high", "high is below open", "AAPL"
    )


def test_a_missing_value_is_rejected_under_its_column(lines: list[str]) -> None:
    bad = lines[1].replace("9616100", " ")

    assert rejected(f"{lines[0]}\n{bad}") == RejectedLine(2, "volume", "Field required", "AAPL")


@pytest.mark.parametrize("change", [",7", ""])
def test_a_row_of_another_width_is_rejected(lines: list[str], change: str) -> None:
    bad = lines[1] + change if change else lines[1].rpartition(",")[0]

    fault = rejected(f"{lines[0]}\n{bad}\n{lines[2]}")

    assert (fault.line, fault.column) == (2, "")
    assert "fields where the header has 8" in fault.reason


@pytest.mark.parametrize("at", [2, 5, 3001])
@pytest.mark.parametrize("place", ["start", "end", "note"])
def test_an_open_quote_costs_its_own_line_only(lines: list[str], at: int, place: str) -> None:
    days = [f"{lines[1]},{n}" for n in range(6000)]
    days[at - 2] = {
        "start": '"' + days[at - 2],
        "end": days[at - 2] + ',"',
        "note": lines[1] + ',"a',
    }[place]
    days[4000] = f'{lines[1]},"a ""quoted"" note"'

    rows = read("\n".join([f"{lines[0]},Note", *days]))

    assert len(rows) == 6000
    faults = [row for row in rows if isinstance(row, RejectedLine)]
    assert faults == [RejectedLine(at, "", "a quote is left open")]


def test_a_line_too_long_for_prices_is_rejected_and_the_next_is_read(lines: list[str]) -> None:
    for length in (LONGEST_LINE - 10, LONGEST_LINE, 5 * LONGEST_LINE):
        rows = read("\n".join([lines[0], "A" * length + lines[1], lines[2]]))

        assert rows[0] == RejectedLine(2, "", f"longer than {LONGEST_LINE} characters")
        assert [row.line for row in rows] == [2, 3]


@pytest.mark.parametrize("text", ["a," * 40_000, "Ticker," * 40_000, '"' * 40_000, ",;\t|" * 9_000])
def test_a_header_of_thousands_of_columns_is_refused_before_it_is_compared(text: str) -> None:
    with pytest.raises(Discard, match=r"over 1000 columns|none of the columns|no CSV header"):
        read(text + "\n" + "1," * 40_000)


def test_blank_lines_have_an_end(lines: list[str]) -> None:
    with pytest.raises(Discard, match="1000 blank lines"):
        read(lines[0] + "\n" * 2_000_000)


@pytest.mark.parametrize(
    "line",
    ['"', '"a"', 'a,"', "a,b,c,d,e,f,g,h", '"' * 9, "a", "AAPL,2000-03-01,1,1,1,1,1,", '"\r'],
)
def test_the_work_for_a_line_is_bounded(lines: list[str], line: str) -> None:
    """Counted, for files that repeat one line."""
    work = {count: _work([lines[0], *[line] * count]) for count in (500, 2_000)}

    assert work[2_000] <= 4.1 * work[500]
    assert work[2_000] <= 2_000 * MOST_LINES * (len(line) + 3)


def _work(content: list[str]) -> int:
    """Characters that are given to the csv module, and calls of it."""
    work, split = 0, Layout.split

    def counted(layout: Layout, text: str) -> list[str]:
        nonlocal work
        work += 1 + len(text)
        return split(layout, text)

    with patch.object(Layout, "split", counted):
        read("\n".join(content))
    return work


def test_the_stream_stays_open_for_its_owner(lines: list[str]) -> None:
    stream = io.BytesIO("\n".join(lines).encode())

    next(read_prices(stream))

    assert not stream.closed
