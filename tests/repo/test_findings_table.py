"""tests/findings-rows.md names tests that exist, each input once."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| ([A-H]\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)

_ROW_BEGIN = re.compile(r"^\|[ *`]*[A-Z]+\d", re.MULTILINE)


def test_every_finding_is_held_by_tests_that_exist_or_by_another_section() -> None:
    page = (ROOT / "tests" / "findings-rows.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"def test_([a-z0-9_]+)", source))
    rows = _ROW.findall(page)

    assert len(rows) > 10
    assert len(rows) == len(_ROW_BEGIN.findall(page)), "a row has other than three columns"
    assert len({(row, finding) for row, finding, _held in rows}) == len(rows)
    for row, _finding, held in rows:
        named = re.findall(r"`([a-z0-9_]+)`", held)
        assert named or ": section " in held, f"{row} is held by nothing"
        assert set(named) <= tests, (row, set(named) - tests)
