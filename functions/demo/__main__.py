"""`python -m functions.demo`: the same as `tidegate demo`."""

from __future__ import annotations

import typer

from shared.cli.demo import demo

typer.run(demo)
