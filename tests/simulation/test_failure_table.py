"""tests/failure-rows.md names a test for every row of the failure model, or says why none does."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = {"A": 30, "B": 14, "C": 20, "D": 15, "E": 7, "F": 7, "G": 24}
NO_TEST = "out of reach: "
_ROW = re.compile(r"^\| ([A-G]\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def _rows() -> dict[str, str]:
    page = (ROOT / "tests" / "failure-rows.md").read_text(encoding="utf-8")
    return {row: held.strip() for row, _fault, held in _ROW.findall(page)}


def test_every_row_of_the_failure_model_is_in_the_table() -> None:
    wanted = [f"{letter}{n}" for letter, last in ROWS.items() for n in range(1, last + 1)]

    assert list(_rows()) == wanted


def test_every_row_names_tests_that_exist_or_a_reason() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"def test_([a-z0-9_]+)", source))

    for row, held in _rows().items():
        named = re.findall(r"`([a-z0-9_]+)`", held)
        assert held.startswith(NO_TEST) or named, f"{row} is held by nothing"
        assert set(named) <= tests or held.startswith(NO_TEST), (row, set(named) - tests)
