"""The command line, `tidegate`: one module for each group of commands. Importing it loads typer and
nothing heavier, so that `--help` is instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import (
    alerts,
    archive,
    audit,
    dead,
    demo,
    dev,
    doctor,
    drain,
    enqueue,
    events,
    jobs,
    keys,
    maintain,
    new,
    queues,
    repair,
    schedules,
    status,
    store,
    tokens,
)
from .output import replace_unwritable
from .streams import open_closed_streams

app = typer.Typer(
    name="tidegate",
    help="Background jobs for functions on a serverless Redis.",
    epilog=(
        "Exit codes: 0 success, 1 failure, 2 wrong input, 3 not found, 4 no answer from the store, "
        "5 wrong configuration, 130 and 143 interrupted. Without UPSTASH_REDIS_REST_URL the "
        "embedded store is used."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import version

    print(f"tidegate {version('tidegate')}")
    raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of `tidegate` itself."""


app.command("new")(new.new)
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.command("store")(store.store)
app.command("enqueue")(enqueue.enqueue)
app.command("drain")(drain.drain)
app.command("status")(status.status)
app.add_typer(jobs.app, name="jobs")
app.add_typer(dead.app, name="dead")
app.add_typer(archive.app, name="archive")
app.command("maintain")(maintain.maintain)
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")
app.add_typer(keys.app, name="keys")
app.command("alerts")(alerts.alerts)
app.command("repair")(repair.repair)
app.add_typer(tokens.app, name="tokens")
app.command("events")(events.events)
app.command("audit")(audit.audit)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """The console script."""
    open_closed_streams()
    replace_unwritable()
    sys.path.append("")  # TIDEGATE_APPS may name modules of the working directory
    app(prog_name="tidegate")
