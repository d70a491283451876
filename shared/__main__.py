"""The console script `tidegate`, and `python -m tidegate`."""

from __future__ import annotations

import sys

from .errors import ConfigurationError
from .extras import packages_of

CONFIGURATION = 5
"""The exit code of a wrong configuration (docs/cli.md)."""


def main() -> None:
    """Run the command line, or print what to install for it."""
    try:
        with packages_of("cli", "the command line"):
            from .cli import main as run  # noqa: PLC0415 - it may be missing
    except ConfigurationError as error:
        print(f"tidegate: {error}", file=sys.stderr)  # noqa: T201 - nothing else can
        raise SystemExit(CONFIGURATION) from None
    run()


if __name__ == "__main__":
    main()
