"""The table of requirements names tests that exist, and each row a test or a reason."""

from __future__ import annotations

import re
from pathlib import Path

ROWS = re.compile(r"^\| (?!requirement|---)(.+) \|$", re.MULTILINE)


def _rows(root: Path) -> list[list[str]]:
    page = (root / "docs" / "requirements.md").read_text(encoding="utf-8")
    return [row.split(" | ") for row in ROWS.findall(page)]


def test_every_row_names_a_test_or_says_that_there_is_none(root: Path) -> None:
    rows = _rows(root)

    assert len(rows) > 20
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []


def test_every_test_that_is_named_exists(root: Path) -> None:
    missing, folder = [], ""
    for *_rest, tests in _rows(root):
        for name in re.findall(r"`([\w/.]+)`", tests):
            folder = name.rpartition("/")[0] if "/" in name else folder
            path = name if "/" in name else f"{folder}/{name}"  # beside the one before it
            if not (root / "tests" / path).exists():
                missing.append(path)

    assert not missing, f"docs/requirements.md names no tests: {missing}"
