"""Output in a pipe: a value can neither forge a row nor steer a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cli.jobs import show_record
from shared.cli.output import as_json, fields, printable, table
from tests.cli.conftest import ROOT, Cli, Spawn

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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (130775, "130775"),
        (-(10**20), "-100000000000000000000"),
        (1234567.875, "1234567.875"),
        (0.1234567, "0.1234567"),
        (0, "0"),
        (True, "true"),
        (False, "false"),
        ("130775", "130775"),
        ([1234567, True], "[1234567, true]"),
        ({"n": 1234567}, '{"n": 1234567}'),
    ],
)
@pytest.mark.parametrize("name", ["result", "payload"])
def test_a_value_of_the_application_is_shown_as_it_is(
    name: str, value: object, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_record({name: value, "attempts": 1234, "errors": []})

    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines == {name: shown, "attempts": "1,234"}


ODD_TEXT = "é € 日本 \U0001f600"
ENCODINGS = ["utf-8", "cp1252", "ascii", "latin-1", "ascii:surrogateescape"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "cp1252", "ascii", "latin-1", "ascii:surrogateescape"]
)
def test_any_encoding_of_a_pipe_takes_the_output(encoding: str) -> None:
    """JSON keeps the text, by escapes; a table has ? for what the encoding lacks."""
    main = f"""
from shared.cli.output import as_json, as_json_line, note, replace_unwritable, table
replace_unwritable()
as_json_line({{"text": {ODD_TEXT!r}}})
table(["text"], [[{ODD_TEXT!r}]])
note({ODD_TEXT!r})
as_json({{"text": {ODD_TEXT!r}}})
"""
    ran = subprocess.run(
        [sys.executable, "-c", main],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=30,
        check=True,
    )

    name = encoding.partition(":")[0]
    first, _head, row, *rest = ran.stdout.decode(name).splitlines()
    assert json.loads(first) == json.loads("".join(rest)) == {"text": ODD_TEXT}
    assert row == ODD_TEXT.encode(name, "replace").decode(name)


def test_a_command_writes_to_a_pipe_of_a_narrow_encoding(cli: Cli, spawn: Spawn) -> None:
    payload = json.dumps({"text": ODD_TEXT})
    job_id = cli("enqueue", "work", "note.keep", "-p", payload, "--json").json["jobs"][0]["id"]

    cli("drain", "work")
    for options in ([], ["--json"]):
        process = spawn("jobs", "show", job_id, *options, PYTHONIOENCODING="ascii")
        out, err = process.communicate(timeout=30)

        assert (process.returncode, err) == (0, "")
        if options:
            assert json.loads(out)["result"] == {"kept": ODD_TEXT}


@given(st.text())
def test_printable_text_has_no_other_control_than_the_newline(text: str) -> None:
    assert printable(text).replace("\n", "").isprintable()
