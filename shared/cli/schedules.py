"""`tidegate schedules`: list, show, pause, resume and run schedules."""

from __future__ import annotations

from typing import Annotated

import typer

from .audited import audited
from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, fields, print_switch, table, written

app = typer.Typer(no_args_is_help=True, help="List, pause, resume and run schedules.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A schedule: APP/NAME, or NAME alone.")]


@app.command("list")
@command
async def list_schedules(json: Json = False) -> Exit:
    """List every schedule with its next occurrence."""
    from ..observe.describe_schedule import describe_schedule
    from ..schedules.control import view

    async with open_deployment() as deployment:
        agenda, now = await deployment.store.agenda(), deployment.clock.epoch_ms()
        views = [view(schedule, agenda, now) for schedule in deployment.registry.schedules]
    rows = [describe_schedule(one) for one in views]
    if json:
        as_json({"schedules": rows})
        return Exit.OK
    if rows:
        columns = ("schedule", "queue", "type", "times", "timezone", "next")
        table(columns, [_row(row) for row in rows])
    else:
        print("no schedule is declared")
    return Exit.OK


@app.command()
@command
async def show(name: Name, json: Json = False) -> Exit:
    """Show one schedule with its next occurrences and its last runs."""
    from ..observe.describe_schedule import describe_last_runs, describe_schedule
    from ..schedules.control import last_runs, view

    async with open_deployment() as deployment:
        schedule, store = deployment.registry.schedule(name), deployment.store
        now = deployment.clock.epoch_ms()
        shown = view(schedule, await store.agenda(), now)
        described, last = (
            describe_schedule(shown),
            describe_last_runs(await last_runs(store, shown, now)),
        )
    if json:
        as_json({**described, "last": last})
        return Exit.OK
    fields({**described, "next": ", ".join(map(written, described["next"]))})
    print()
    if last:
        columns = ("planned", "manual", "id", "state")
        table(columns, [[run[name] for name in columns] for run in last])
    else:
        print("no run yet")
    return Exit.OK


@app.command()
@command
async def pause(name: Name, json: Json = False) -> Exit:
    """Enqueue no occurrence from now on."""
    return await _switch(name, json=json, paused=True)


@app.command()
@command
async def resume(name: Name, json: Json = False) -> Exit:
    """Go on with the next occurrence. What was due meanwhile does not run."""
    return await _switch(name, json=json, paused=False)


@app.command()
@command
async def run(name: Name, json: Json = False) -> Exit:
    """Enqueue a job of the schedule now, beside its occurrences."""
    from ..schedules import control

    async with open_deployment() as deployment:
        schedule = deployment.registry.schedule(name)
        async with audited(deployment, "schedules.run", schedule.key):
            stored = await control.run_now(deployment.store, schedule, deployment.clock.epoch_ms())
    if json:
        as_json({"id": stored.id, "state": stored.state, "duplicate": stored.duplicate})
    else:
        print(f"{stored.id} {stored.state}{' (the one before has not ended)' * stored.duplicate}")
    return Exit.OK


def _row(row: dict[str, object]) -> list[object]:
    times = row["cron"] or f"every {row['every']:g} s"
    upcoming = row["next"]
    first = upcoming[0] if isinstance(upcoming, list) and upcoming else "paused"
    return [f"{row['app']}/{row['name']}", row["queue"], row["type"], times, row["timezone"], first]


async def _switch(name: str, *, json: bool, paused: bool) -> Exit:
    from ..schedules import control

    async with open_deployment() as deployment:
        schedule, store = deployment.registry.schedule(name), deployment.store
        verb = "schedules.pause" if paused else "schedules.resume"
        async with audited(deployment, verb, schedule.key):
            if paused:
                before = await control.pause(store, schedule)
            else:
                before = await control.resume(store, schedule, deployment.clock.epoch_ms())
    if json:
        as_json({"schedule": schedule.key, "paused": paused, "was_paused": before})
    else:
        print_switch(schedule.key, paused=paused, was_paused=before)
    return Exit.OK
