"""Lists that are longer than one page, read page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

PAGE = 200
Row = TypeVar("Row")


class Page(Protocol[Row]):
    """Rows, and the cursor of the next page (None: there is none)."""

    @property
    def rows(self) -> list[Row]: ...
    @property
    def next(self) -> str | None: ...


async def read_pages(
    read: Callable[[str | None, int], Awaitable[Page[Row]]],
    *,
    most: int | None = None,
    cursor: str | None = None,
) -> tuple[list[Row], str | None]:
    """Up to `most` rows (None: all) from this cursor on, and the cursor of the next one. `read`
    answers a page: from a cursor, at most so many rows."""
    rows: list[Row] = []
    while most is None or len(rows) < most:
        page = await read(cursor, PAGE if most is None else min(PAGE, most - len(rows)))
        rows += page.rows
        cursor = page.next
        if cursor is None:
            break
    return rows, cursor
