"""The tables of docs/guides/access.md are those of the code: its operations, its rights, its
roles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.access.rights import MEANINGS, RIGHTS, ROLES
from shared.web.operation import Operation
from shared.web.routes import ROUTES


def operations() -> list[str]:
    """One row an operation."""
    return _table(
        (
            "operation",
            "right",
            "a token of some queues",
            "a token of some types or keys",
            "audited",
        ),
        (
            (
                f"`{one.method} {one.path}`",
                _right(one),
                _reach(one),
                _jobs(one),
                f"`{one.name}`" if one.is_audited else "",
            )
            for one in ROUTES
        ),
    )


def roles() -> list[str]:
    """One row a role of stored tokens."""
    rows = ((f"`{name}`", _names(rights)) for name, rights in ROLES.items())
    return _table(("role", "rights"), rows)


def rights() -> list[str]:
    """One row a right."""
    rows = ((f"`{right}`", MEANINGS[right]) for right in RIGHTS)
    return _table(("right", "opens"), rows)


def _right(operation: Operation) -> str:
    if operation.access == "public":
        return "none"
    own = ", or `enqueue` for the token's own jobs" if operation.own else ""
    return f"`{operation.access}`{own}"


def _reach(operation: Operation) -> str:
    if operation.access == "public":
        return "opens it"
    if operation.filters:
        return "its own queues"
    return "its own queues" if re.search(r"\{(queue|id|app)\}", operation.path) else "refused"


def _jobs(operation: Operation) -> str:
    if operation.access == "public":
        return "opens it"
    return "its own jobs" if operation.by_job else "refused"


def _names(rights: frozenset[str]) -> str:
    return ", ".join(f"`{right}`" for right in RIGHTS if right in rights)


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    lines = [columns, ("---",) * len(columns), *rows]
    return ["| " + " | ".join(line).replace("|  |", "| |") + " |" for line in lines]


@pytest.mark.parametrize("table", [operations, roles, rights])
def test_the_page_has_the_table_of_the_code(root: Path, table: object) -> None:
    assert callable(table)
    expected = "\n".join(table()).replace("|  |", "| |")
    page = (root / "docs/guides/access.md").read_text(encoding="utf-8")

    assert expected in page, f"docs/guides/access.md needs this table:\n{expected}"
