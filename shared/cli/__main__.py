"""The command line for `python -m`, where the console script is not installed."""

from __future__ import annotations

from . import main

main()
