"""`tidegate alerts`: the alerts that fire, as they stand or evaluated now."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, note, table, written

COLUMNS = ("rule", "queue", "since", "detail")


@command
async def alerts(
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Evaluate the rules first, and tell what changed.")
    ] = False,
    json: Json = False,
) -> Exit:
    """Show the alerts that fire. Exit code 1 if there is one."""
    from ..alerts.describe import describe_alerts
    from ..alerts.state_json import read_state
    from ..config.alerts import AlertSettings

    AlertSettings.from_env()  # what can't be read is told also where nothing is evaluated
    async with open_deployment() as deployment:
        if evaluate:
            await deployment.evaluate_alerts()
        described = describe_alerts(read_state(await deployment.store.alerts.read()))
    if json:
        as_json(described)
    elif described["alerts"]:
        table(COLUMNS, [[alert[name] for name in COLUMNS] for alert in described["alerts"]])
    elif described["evaluated_at"]:
        print(f"no alert fires; evaluated at {written(described['evaluated_at'])}")
    else:
        note("alerts have not been evaluated: tidegate alerts --evaluate, or a schedule for it")
    return Exit.FAILED if described["alerts"] else Exit.OK
