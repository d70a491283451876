"""The command line, `tidegate`: one module a group of commands. Loads nothing but typer until a
command runs, so that help is there at once."""

from __future__ import annotations

import sys

import typer

from functions import demo

from . import dead, dev, doctor, drain, enqueue, jobs, queues, status, store, tokens

app = typer.Typer(
    name="tidegate",
    help="Background jobs for functions on a serverless Redis.",
    epilog=(
        "Exit codes: 0 done, 1 failed, 2 can't be used as given, 3 not found, 4 the store did not "
        "answer, 5 configuration. Without UPSTASH_REDIS_REST_URL the embedded store serves."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("dev")(dev.dev)
app.command("store")(store.store)
app.command("enqueue")(enqueue.enqueue)
app.command("drain")(drain.drain)
app.command("status")(status.status)
app.add_typer(jobs.app, name="jobs")
app.add_typer(dead.app, name="dead")
app.add_typer(queues.app, name="queues")
app.command("tokens")(tokens.tokens)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """The console script."""
    sys.path.append("")  # TIDEGATE_APPS may name modules of the folder one stands in
    app(prog_name="tidegate")
