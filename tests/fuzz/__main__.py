"""schemathesis against the running application, under each identity: `make fuzz`.

It fails on a 5xx, on a status, header or body that the OpenAPI document does not name, on accepted
nonsense, and on any command that reaches the store without a token.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from tests.fuzz.campaign import run


def main() -> int:
    """0: nothing was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="for all identities together")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run")
    arguments = parser.parse_args()
    return asyncio.run(run(arguments.seed, seconds=arguments.minutes * 60))


if __name__ == "__main__":
    sys.exit(main())
