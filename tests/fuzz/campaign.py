"""One run of schemathesis for each identity, and a count of what reached the store."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .deployment import IDENTITIES, NOBODY, Deployment, deployment

ROOT = Path(__file__).parents[2]
# Not everything that fits the document is acceptable: it can't say which job types a queue has.
UNCHECKED = "positive_data_acceptance"


async def run(
    seed: int,
    *,
    seconds: float | None = None,
    options: Sequence[str] = (),
    identities: Sequence[str] = IDENTITIES,
) -> int:
    """0 if nothing was found. `seconds`: for all identities together."""
    if seconds is not None:
        options = [*options, "--max-time", str(max(1, int(seconds / len(identities))))]
    failed = []
    async with deployment() as target:
        for identity in identities:
            before = target.billed()
            status = await _schemathesis(target, identity, ["--seed", str(seed), *options])
            spent = target.billed() - before
            print(f"{identity}: exit code {status}, {spent} commands reached the store", flush=True)
            if status or (identity == NOBODY and spent):
                failed.append(identity)
    print(f"seed {seed}: " + (f"found something as {', '.join(failed)}" if failed else "all well"))
    return 1 if failed else 0


async def _schemathesis(target: Deployment, identity: str, options: list[str]) -> int:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        "TIDEGATE_FUZZ_API": target.url,
    }
    if identity != NOBODY:
        environment["TIDEGATE_FUZZ_ADMIN"] = target.tokens["admin"]
        options = [*options, "--header", f"Authorization: Bearer {target.tokens[identity]}"]
    with tempfile.TemporaryDirectory() as folder:  # schemathesis keeps its findings where it runs
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{target.url}/openapi.json"),
            *("--exclude-checks", UNCHECKED, "--suppress-health-check", "all"),
            *("--continue-on-failure", "--generation-database", "none", "--no-color"),
            *options,
            env=environment,
            cwd=folder,
        )
        return await process.wait()
