"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
Queues = Annotated[list[str] | None, typer.Argument(help="Names of queues; none means all.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Keep the embedded store in this folder. [default: TIDEGATE_DATA, .tidegate]"
    ),
]
Volatile = Annotated[
    bool, typer.Option("--volatile", help="A fresh store that ends with this process.")
]
StorePort = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the store; 0: any free.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port of the API; 0: any free.")]
