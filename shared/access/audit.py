"""The audit: who did what to what, when, and how it ended. Rows are only ever appended.

An action has two rows. The first is written before it begins, so nothing is done that has none; the
second before its end is reported, so nothing is reported as done that is not done in the audit.
A stop between them leaves a `began` alone: the action may have been done, in part or not at all.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import NamedTuple

from ..errors import InvalidOption, StoreError, UnknownOutcome
from ..jobs.redact import redact
from ..store.access import AccessEntries

LONGEST_OBJECT = 300
_ID = re.compile(r"(?!0+-0+\Z)[0-9]{1,15}-[0-9]{1,15}\Z")
"""The id of an entry that others may stand before: nothing is before 0-0, and the store refuses to
look."""


class AuditRow(NamedTuple):
    """One row. `action` is the same for both rows of an action. `verb`: such as "queues.pause".
    `result`: "began", "done", "done: " and how many it changed, or "failed: " and the class of the
    error. `at_ms`: store time; 0 before it is stored."""

    action: str
    who: str
    verb: str
    object: str
    result: str
    at_ms: int = 0


class AuditPage(NamedTuple):
    """Rows, newest first, and the cursor of the next page (None: there is none)."""

    rows: list[AuditRow]
    next: str | None


class Action:
    """An action under way. `count`: how many it has changed; None where that is no number."""

    count: int | None = None


class Audit:
    """The audit of one deployment. Raises StoreError."""

    def __init__(self, entries: AccessEntries) -> None:
        self._entries = entries

    @asynccontextmanager
    async def action(self, who: str, verb: str, object: str) -> AsyncIterator[Action]:
        """Write the rows of the action that the block is. Raises StoreError where the first can't
        be written: nothing was done; and UnknownOutcome where the second can't."""
        row = AuditRow(token_hex(8), who, verb, redact(object)[:LONGEST_OBJECT], "began")
        await self._append(row)
        action = Action()
        try:
            yield action
        except BaseException as error:
            with contextlib.suppress(StoreError):  # the error is raised with or without the row
                await self._append(row._replace(result=f"failed: {type(error).__name__}"))
            raise
        try:
            count = "" if action.count is None else f": {action.count}"
            await self._append(row._replace(result=f"done{count}"))
        except StoreError as error:
            raise UnknownOutcome(
                f"{verb} was done, but the audit could not be told ({error}); its row says that it "
                "began. Look at what it was to change before you repeat it."
            ) from error

    async def page(self, cursor: str | None, most: int) -> AuditPage:
        """Up to `most` rows, newest first. Raises InvalidOption for a bad cursor."""
        if cursor is not None and not _ID.match(cursor):
            raise InvalidOption("cursor: pass on the `next` of an earlier page.", "cursor")
        entries = await self._entries.rows(cursor, most)
        rows = [_row(row_id, text) for row_id, text in entries]
        # A row whose reply was lost is there twice.
        unique = {(row.action, row.result): row for row in rows}
        return AuditPage(list(unique.values()), entries[-1][0] if len(entries) == most else None)

    async def _append(self, row: AuditRow) -> None:
        fields = (row.action, row.who, row.verb, row.object, row.result)
        await self._entries.append(json.dumps(fields))


def _row(row_id: str, text: str) -> AuditRow:
    action, who, verb, about, result = map(str, json.loads(text))
    return AuditRow(action, who, verb, about, result, int(row_id.partition("-")[0]))
