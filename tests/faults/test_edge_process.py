"""A process ends with its drain, whatever its threads still do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import server
from shared.store import Store
from shared.testing import TOKEN
from tests.support.blocking import LONG, EmptyPayload, handle, queue

ROOT = Path(__file__).parents[2]


async def test_a_process_ends_with_its_report_though_a_handlers_thread_runs_on(
    protocol: UpstashProtocol, store: Store
) -> None:
    web = server(protocol, port=0)
    serving = asyncio.create_task(web.serve())
    while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)
    url = f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
    await store.enqueue(queue, [handle.job(EmptyPayload(), job_id="a")])

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.blocking", url, TOKEN),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    async with asyncio.timeout(LONG / 2):
        printed, _ = await process.communicate()
    view = await store.inspect(queue, "a")
    web.should_exit = True
    await serving

    assert (process.returncode, printed) == (0, b"{'released': 1}\n")
    assert view.state == "delayed"
