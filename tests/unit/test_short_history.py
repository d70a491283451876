"""What a short history keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.jobs.short_history import (
    DECIDING,
    LONGEST_OF_MINIMAL,
    LONGEST_TEXT,
    NO_RESULT,
    NOT_KEPT,
    HistoryLevel,
    shorten_history,
)

ERROR = {"at": 1, "attempt": 2, "type": "ValueError", "message": "m" * 900, "stack": ["f:1"] * 50}
FULL = {
    **dict.fromkeys(DECIDING, 1),
    "parked": "p" * 900,
    "errors": [ERROR, {**ERROR, "attempt": 3}],
    "runs": [[1, 2, 3, "retry"], [2, 3, 4, "retry"]],
    "log": [[1, 1, "line"]] * 20,
    "note": "n" * 900,
    "result": "r" * 900,
    "encrypted": "2026 " + "A" * 900,
}


def _shortened(history: dict[str, Any], level: HistoryLevel) -> dict[str, Any]:
    text = shorten_history(json.dumps(history), level)
    return dict(json.loads(text)) if text else {}


def test_a_full_history_is_as_it_was() -> None:
    text = json.dumps(FULL)

    assert shorten_history(text, "full") is text


def test_a_short_history_has_the_last_error_and_run_and_small_values() -> None:
    short = _shortened(FULL, "short")

    (error,) = short["errors"]
    assert (error["attempt"], error["type"]) == (3, "ValueError")
    assert len(error["message"]) == LONGEST_TEXT
    assert "stack" not in error
    assert short["runs"] == [[2, 3, 4, "retry"]]
    assert "log" not in short
    assert len(str(short["note"])) == len(str(short["parked"])) == LONGEST_TEXT
    assert (short.get("result"), short["result_error"]) == (None, NO_RESULT)
    assert short.keys() >= DECIDING
    assert short["encrypted"] == FULL["encrypted"]


@pytest.mark.parametrize("result", [0, "", None, "r" * 150, {"a": [1, 2]}])
def test_a_small_result_stays(result: object) -> None:
    assert _shortened({"result": result}, "short") == {"result": result}


def test_a_minimal_history_decides_how_the_job_goes_on() -> None:
    minimal = _shortened(FULL, "minimal")

    assert minimal.pop("result_error") == NOT_KEPT
    (error,) = minimal.pop("errors")  # a decided end's follow-ups are made of it
    assert len(error["message"]) <= LONGEST_OF_MINIMAL
    assert minimal.keys() == DECIDING
    ended = {name: value for name, value in FULL.items() if name != "end"}
    assert "errors" not in _shortened(ended, "minimal")
    assert len(str(minimal["parked"])) == LONGEST_OF_MINIMAL
    assert minimal["encrypted"] == FULL["encrypted"]


@pytest.mark.parametrize("result", [0, "", "r" * 900])
def test_a_minimal_history_tells_a_dropped_result_from_none(result: object) -> None:
    assert _shortened({"result": result, "runs": [[1, 2, 3, "done"]]}, "minimal") == {
        "result_error": NOT_KEPT
    }
    assert _shortened({"runs": [[1, 2, 3, "done"]]}, "minimal") == {}


@pytest.mark.parametrize(("result", "is_kept"), [(0, True), ("r" * 193, True), ("r" * 194, False)])
def test_a_minimal_history_of_a_decided_end_keeps_what_its_follow_ups_are_made_of(
    result: object, *, is_kept: bool
) -> None:
    minimal = _shortened({"result": result, "end": {"kind": "done"}, "log": ["x"]}, "minimal")

    assert minimal.pop("end") == {"kind": "done"}
    assert minimal == ({"result": result} if is_kept else {"result_error": NOT_KEPT})


@pytest.mark.parametrize(("level", "longest"), [("short", 200), ("minimal", 60)])
def test_the_note_of_a_decided_end_is_short_and_its_names_are_whole(
    level: HistoryLevel, longest: int
) -> None:
    names = ["handler " + "q" * 300, "completed 1"]
    note = {"kind": "done", "mark": "m", "at_ms": 1, "stored": names, "missing": ["q", "w" * 900]}

    stored = _shortened({"end": note}, level)["end"]

    missing = stored.pop("missing")
    assert stored == {name: note[name] for name in ("kind", "mark", "at_ms", "stored")}
    assert (missing[0], len(missing[1])) == ("q", longest)


@pytest.mark.parametrize("level", ["short", "minimal"])
@pytest.mark.parametrize(
    "text",
    ["", "garbage", "[]", '{"errors":[3]}', '{"errors":"x","runs":[]}', '{"end":{"missing":[3]}}'],
)
def test_a_damaged_history_is_no_error(level: HistoryLevel, text: str) -> None:
    assert len(shorten_history(text, level)) <= len(text) + 3
