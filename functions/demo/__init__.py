"""`tidegate demo`: the trading journal's workload on a store of its own, and an honest summary."""

from __future__ import annotations

from shared.cli.exit_codes import Exit, command
from shared.cli.options import Json


@command
async def demo(json: Json = False) -> Exit:
    """Run real jobs through real HTTP on this machine, and verify what came of them.

    Needs no account and touches no data of yours. Ends with exit code 1 if a claim does not hold.
    """
    from .play import play

    return await play(json=json)
