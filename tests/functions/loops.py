"""A process with 256 descriptors that enqueues in one of four ways, for `test_loops.py`.

It prints a JSON object: what was answered, and how many descriptors were open at the end.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from shared import App
from shared.config.settings import Settings
from shared.declare.app import Registry
from shared.deployment import Deployment
from tests.functions.recorded import OPERATOR
from tests.functions.sample import Number, double

app = App("loops")
parents, children = app.queue("parents"), app.queue("children")


class Parent(BaseModel):
    way: str


@parents.job("parent")
def parent(payload: Parent) -> None:
    if payload.way == "sync":
        child.enqueue_sync(Number(n=1))
    else:
        asyncio.run(child.enqueue(Number(n=1)))


@children.job("child")
async def child(payload: Number) -> None:
    return None


def loop_after_loop(times: int) -> Any:
    """An event loop for each enqueue, as scripts and `def` code do it."""
    return Counter(asyncio.run(double.enqueue(Number(n=n))).state for n in range(times))


def api_under_loops(times: int) -> Any:
    """The HTTP function under an event loop for each request."""
    api = importlib.import_module("functions.api").app

    async def request(n: int) -> int:
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            body = {"type": "double", "payload": {"n": n}}
            url = "/api/v1/queues/sample/jobs"
            return (await client.post(url, json=body, headers=headers)).status_code

    return Counter(asyncio.run(request(n)) for n in range(times))


def threads(times: int) -> Any:
    """Threads without an event loop, as of Flask and Django."""
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda n: double.enqueue_sync(Number(n=n)), range(times))
        return Counter(answer.state for answer in answers)


def handlers(times: int, way: str) -> Any:
    """`def` handlers that each enqueue one job, drained in one tick."""
    deployment = Deployment(Settings.from_env(), Registry([app]))
    deployment.make_default()

    async def main() -> Any:
        await parent.enqueue_many([parent.job(Parent(way=way)) for _ in range(times)])
        report = await deployment.drain(deployment.budget(120))
        await deployment.close()
        return report.outcomes

    return asyncio.run(main())


WAYS: dict[str, Callable[[int], Any]] = {
    "loop-after-loop": loop_after_loop,
    "api": api_under_loops,
    "threads": threads,
    "sync-handlers": lambda times: handlers(times, "sync"),
    "loops-in-handlers": lambda times: handlers(times, "loops"),
}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    answers = WAYS[sys.argv[1]](int(sys.argv[2]))
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    print(json.dumps({"answers": answers, "descriptors": descriptors}), flush=True)
    os._exit(0)  # daemon threads end with the process


if __name__ == "__main__":
    main()
