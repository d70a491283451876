"""Files as people and banks write them."""

from __future__ import annotations

import io

import pytest

from functions.apps.trading_journal.table import LONGEST_LINE, Line, Rejected, read_prices
from shared import Discard


def read(content: str | bytes) -> list[Line | Rejected]:
    return list(read_prices(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def rejected(content: str) -> Rejected:
    only = [line for line in read(content) if isinstance(line, Rejected)]
    assert len(only) == 1
    return only[0]


def test_line_numbers_are_those_an_editor_shows(lines: list[str]) -> None:
    rows = read("\n".join([lines[0], "", *lines[1:]]))

    assert [row.line for row in rows if isinstance(row, Line)] == [3, 4]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
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
    with pytest.raises(Discard, match=r"columns missing: volume; the first line has: Ticker, Date"):
        read(lines[0].replace("Volume", "Vol") + "\n" + lines[1])


def test_a_web_page_is_no_csv() -> None:
    with pytest.raises(Discard, match="columns missing"):
        read("<!doctype html>\n<title>Sign in</title>\n")


def test_a_column_given_twice_is_refused(lines: list[str]) -> None:
    with pytest.raises(Discard, match="duplicate columns: symbol"):
        read(lines[0] + ",Symbol\n")


def test_a_broken_header_is_refused(lines: list[str]) -> None:
    with pytest.raises(Discard, match="no CSV header"):
        read('"Ticker"x,' + lines[0])


def test_a_header_alone_has_no_rows(lines: list[str]) -> None:
    assert read(lines[0]) == []


def test_a_bad_value_is_rejected_with_line_column_and_reason(lines: list[str]) -> None:
    bad = lines[1].replace("132.06", "118.0")

    assert rejected(f"{lines[0]}\n{bad}\n{lines[2]}") == Rejected(2, "high", "high is below open")


def test_a_missing_value_is_rejected_under_its_column(lines: list[str]) -> None:
    bad = lines[1].replace("9616100", " ")

    assert rejected(f"{lines[0]}\n{bad}") == Rejected(2, "volume", "Field required")


@pytest.mark.parametrize("change", [",7", ""])
def test_a_row_of_another_width_is_rejected(lines: list[str], change: str) -> None:
    bad = lines[1] + change if change else lines[1].rpartition(",")[0]

    fault = rejected(f"{lines[0]}\n{bad}\n{lines[2]}")

    assert (fault.line, fault.column) == (2, "")
    assert "fields where the header has 8" in fault.reason


def test_an_open_quote_says_which_lines_it_swallowed(lines: list[str]) -> None:
    swallowed = [lines[0], '"' + lines[1], lines[2], '"' + lines[2], lines[2]]

    rows = read("\n".join(swallowed).replace('"AAPL,2000-03-02', 'x"'))

    assert isinstance(rows[0], Rejected)
    assert "lines 2 to 4 read as one row: is a quote left open?" in rows[0].reason
    assert isinstance(rows[1], Line)


def test_a_quote_open_to_the_end_is_rejected_and_ends_the_file(lines: list[str]) -> None:
    fault = rejected("\n".join([*lines, '"' + lines[1], lines[2]]))

    assert fault == Rejected(5, "", "no CSV: unexpected end of data")


def test_a_huge_field_is_rejected_and_the_next_row_is_read(lines: list[str]) -> None:
    rows = read("\n".join([lines[0], "A" * 200_000 + lines[1], lines[2]]))

    assert isinstance(rows[0], Rejected)
    assert "field larger than field limit" in rows[0].reason
    assert isinstance(rows[1], Line)


def test_a_line_without_end_is_refused(lines: list[str]) -> None:
    with pytest.raises(Discard, match="longer than"):
        read(lines[0] + "\n" + "A" * (LONGEST_LINE + 1))


def test_the_stream_stays_open_for_its_owner(lines: list[str]) -> None:
    stream = io.BytesIO("\n".join(lines).encode())

    next(read_prices(stream))

    assert not stream.closed
