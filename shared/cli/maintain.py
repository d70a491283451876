"""`tidegate maintain`: one run of the maintain function in this process."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, note

Seconds = Annotated[
    float, typer.Option("--budget", min=1.0, max=3600.0, help="Seconds until it has ended.")
]


@command
async def maintain(budget: Seconds = 60.0, json: Json = False) -> Exit:
    """Move dead letters into the archive, and delete its rows that are old enough.

    Dead letters stay in Redis for 15 minutes. Ends with exit code 1 if something failed; what was
    not archived stays in Redis.
    """
    from ..errors import NoArchive

    async with open_deployment() as deployment:
        if deployment.settings.archive_url is None:
            raise NoArchive
        report = await deployment.maintain(deployment.budget(budget))
    if json:
        as_json(report.as_dict())
    else:
        tally = report.tally
        print(
            f"{tally.archived:,} archived, {tally.removed:,} removed from Redis, "
            f"{tally.refused:,} refused by Postgres, {report.tally.deleted:,} old rows deleted"
        )
    if report.error:
        note(f"tidegate: {report.error}")
        return Exit.FAILED
    if report.stop == "budget":
        note("there is more: run it again, or with a larger --budget")
    return Exit.FAILED if report.tally.refused else Exit.OK
