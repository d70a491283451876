"""Output in a pipe: a value can neither forge a row nor steer a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cli.output import as_json, fields, printable, table

HOSTILE = [
    "a\nb  forged",
    "a\r\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31mred\x85",
    "\u202eevil\u2066",
    "line\u2028paragraph\u2029",
    "zero\u200bwidth\ufeff",
    "\x7f\x00",
    "\U000e0041tag",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_row_stays_one_line_of_printable_text(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table(["id", "message"], [["one", text], ["two", "fine"]])
    fields({"message": text, "more": {"deep": text}})

    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_printable_and_keeps_the_text(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    as_json({text: [text]})

    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == {text: [text]}


@given(st.text())
def test_printable_text_has_no_other_control_than_the_newline(text: str) -> None:
    assert printable(text).replace("\n", "").isprintable()
