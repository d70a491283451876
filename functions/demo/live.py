"""The live view: a table of the applications' jobs on a terminal, below the lines of the account.
In a pipe there are the lines only."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared.cli.output import flush

from .world import World

REFRESH = 4
"""Pictures a second."""
COLUMNS = ("waiting", "delayed", "active", "completed", "dead")


@dataclass(slots=True)
class Board:
    """What is shown. `world` comes once it runs."""

    world: World | None = None
    console: Console | None = None

    def say(self, sentence: str) -> None:
        """Print a line of the account, above the table where there is one."""
        if self.console is None:
            print(sentence)
            flush()
        else:
            self.console.print(Text(sentence))

    def __rich__(self) -> Group:
        return Group() if self.world is None else Group(jobs(self.world), faults(self.world))


@contextmanager
def lines(board: Board, *, shown: bool) -> Generator[None, None, None]:
    """Show the board during the block, if stdout is a terminal."""
    if not shown or not sys.stdout.isatty():
        yield
        return
    board.console = Console()
    with Live(board, console=board.console, refresh_per_second=REFRESH, transient=True):
        yield
    board.console = None


def jobs(world: World) -> Table:
    """The jobs of each application by state."""
    table = Table("application", *COLUMNS, "retries")
    for app, counts in by_app(world).items():
        table.add_row(app, *(f"{counts[name]:,}" for name in (*COLUMNS, "retried")))
    return table


def faults(world: World) -> Text:
    """What the stand-ins have done, in one line."""
    parts = [
        f"{name}: {one.requests} requests, {one.met.total()} faults"
        for name, one in world.standins.faults.items()
        if one.requests
    ]
    return Text(f"{world.elapsed():5.1f} s  {' · '.join(parts)}")


def by_app(world: World) -> dict[str, Counter[str]]:
    """Application -> jobs by state, and retries."""
    found: dict[str, Counter[str]] = {}
    for queue in world.stats.get("queues", {}).values():
        counts = found.setdefault(queue["app"], Counter())
        counts.update(queue["counts"])
        counts["retried"] += queue["totals"]["retried"]
    return found
