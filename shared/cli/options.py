"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
Queues = Annotated[list[str] | None, typer.Argument(help="Names of queues; none means all.")]
Cursor = Annotated[str | None, typer.Option(help="The `next` of an earlier list --json.")]
Most = Annotated[int, typer.Option(min=1, max=10_000, help="The largest number to list.")]
Decrypt = Annotated[
    bool, typer.Option("--decrypt", help="Show what is encrypted, with the keys of this machine.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Report only; change nothing.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of the embedded store. [default: TIDEGATE_DATA, .tidegate]"
    ),
]
Volatile = Annotated[
    bool, typer.Option("--volatile", help="A new store that ends with this process.")
]
StorePort = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the store; 0: any free.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the API; 0: any free.")]


def check_data(data: Path | None, *, volatile: bool) -> None:
    """Raises InvalidOption for a folder of a store that would use none."""
    from ..errors import InvalidOption

    if volatile and data is not None:
        raise InvalidOption(
            "a volatile store has no folder: leave out --data or --volatile", "data"
        )
