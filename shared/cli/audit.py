"""`tidegate audit`: who did what to this deployment, over HTTP and by commands."""

from __future__ import annotations

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Cursor, Json, Most
from .output import as_json, table

PAGE = 200
COLUMNS = ("at", "who", "verb", "object", "result", "action")


@command
async def audit(most: Most = 50, cursor: Cursor = None, json: Json = False) -> Exit:
    """List what operators did, the newest first: each action began, and was done or failed.

    The last 10,000 rows are kept.
    """
    from ..access.audit import Audit, AuditRow
    from ..access.describe import describe_row

    rows = list[AuditRow]()
    async with open_deployment() as deployment:
        while len(rows) < most:
            left = min(PAGE, most - len(rows))
            page = await Audit(deployment.store.access).page(cursor, left)
            rows, cursor = rows + page.rows, page.next
            if cursor is None:
                break
    described = [describe_row(row) for row in rows]
    if json:
        as_json({"rows": described, "next": cursor})
    elif described:
        table(COLUMNS, [[row[name] for name in COLUMNS] for row in described])
    else:
        print("no rows")
    return Exit.OK
