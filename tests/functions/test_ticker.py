"""The outside ticker in infra/vercel/tick.yml, run as its runner runs it, against a served API."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from shared.cli.servers import api
from tests.functions.recorded import CRON_SECRET
from tests.functions.sample import Number, double, sample

WORKFLOW = Path(__file__).parents[2] / "infra" / "vercel" / "tick.yml"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


@pytest.fixture
def step() -> dict[str, Any]:
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    (only,) = job["steps"]
    found: dict[str, Any] = only
    return found


async def run(step: dict[str, Any], url: str, secret: str) -> tuple[int, str]:
    values = {"${{ vars.TICK_URL }}": url, "${{ secrets.CRON_SECRET }}": secret}
    variables = {name: values[expression] for name, expression in step["env"].items()}
    process = await asyncio.create_subprocess_exec(
        *("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]),
        env={"PATH": os.environ["PATH"], **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_it_drains_and_fails_where_the_secret_is_wrong(
    step: dict[str, Any], environment: Callable[..., None], store_says: Callable[..., Any]
) -> None:
    environment("local")
    await asyncio.to_thread(store_says, "enqueue", sample, [double.job(Number(n=1))])

    async with api(port=0) as url:
        refused = await run(step, f"{url}/api/cron/drain", "not the secret")
        drained = await run(step, f"{url}/api/cron/drain", CRON_SECRET)

    assert refused[0] != 0
    assert "401" in refused[1]
    assert drained[0] == 0
    assert f'"{sample.name}"' in drained[1]
    assert '"done":1' in drained[1].replace(" ", "")
