"""What a short history keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.jobs.short_history import (
    DECIDING,
    LONGEST_TEXT,
    NO_RESULT,
    NOT_KEPT,
    Kept,
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
    "encrypted": "2026 " + "A" * 100,
}


def _shortened(history: dict[str, Any], kept: Kept, before: str = "") -> dict[str, Any]:
    text = shorten_history(json.dumps(history), kept, before)
    return dict(json.loads(text)) if text else {}


def test_a_whole_history_is_as_it_was() -> None:
    text = json.dumps(FULL)

    assert shorten_history(text, "whole", "") is text


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


@pytest.mark.parametrize("result", [0, "", None, "r" * 150, {"a": [1, 2]}])
def test_a_small_result_stays(result: object) -> None:
    assert _shortened({"result": result}, "short") == {"result": result}


def test_the_least_history_decides_how_the_job_goes_on() -> None:
    least = _shortened(FULL, "least")

    assert least.pop("result_error") == NOT_KEPT
    assert least.keys() == DECIDING


@pytest.mark.parametrize("result", [0, "", "r" * 900])
def test_the_least_history_tells_a_dropped_result_from_none(result: object) -> None:
    assert _shortened({"result": result, "runs": [[1, 2, 3, "done"]]}, "least") == {
        "result_error": NOT_KEPT
    }
    assert _shortened({"runs": [[1, 2, 3, "done"]]}, "least") == {}


@pytest.mark.parametrize("longer", [0, 1])
def test_the_least_history_is_the_short_one_where_the_record_gets_no_longer(longer: int) -> None:
    short = shorten_history(json.dumps(FULL), "short", "")

    least = shorten_history(json.dumps(FULL), "least", "x" * (len(short) - longer))

    assert (least == short) == (longer == 0)


@pytest.mark.parametrize("kept", ["short", "least"])
@pytest.mark.parametrize(
    "text", ["", "garbage", "[]", '{"errors":[3]}', '{"errors":"x","runs":[]}']
)
def test_a_damaged_history_is_no_error(kept: Kept, text: str) -> None:
    assert len(shorten_history(text, kept, text)) <= len(text) + 3
