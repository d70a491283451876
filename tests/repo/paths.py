"""The files and functions of `shared` that one HTTP enqueue, one pause over HTTP, and one tick with
two jobs, pass.

`python -m tests.repo.paths` prints them (`-v`: each). A function counts once. Not counted are
comprehensions and lambdas, the embedded store and the tools for tests.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from shared import App, JobContext
from shared.config.settings import Settings
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.testing import embedded_store
from shared.web import create_app
from tests.support.values import Number

SHARED = str(Path(__file__).resolve().parents[2] / "shared")
TOKEN = "a-token-of-twenty-chars"
Calls = set[tuple[str, str]]


@contextmanager
def recorded(calls: Calls) -> Iterator[None]:
    """Collect (file, function) of every call inside the block."""

    def profile(frame: FrameType, event: str, _arg: Any) -> None:
        code = frame.f_code
        file = code.co_filename
        ours = file.startswith(SHARED) and "/embedded/" not in file and "/testing/" not in file
        if event == "call" and ours and not code.co_name.startswith("<"):
            calls.add((file.removeprefix(SHARED), code.co_qualname))

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


async def paths() -> dict[str, Calls]:
    """The calls of a warm enqueue and of a pause over HTTP, and of a warm tick that runs two
    jobs."""
    app = App("paths")
    queue = app.queue("work")

    @queue.job("double")
    async def double(payload: Number, _job: JobContext) -> int:
        return payload.n * 2

    calls: dict[str, Calls] = {"enqueue": set(), "operate": set(), "run": set()}
    async with embedded_store() as store:
        settings = Settings(api_tokens={TOKEN: "admin"})
        deployment = Deployment(settings, Registry([app]), open_store=lambda: store)
        web = create_app(lambda: deployment)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(web),
            base_url="http://paths.test",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        body = {"type": "double", "payload": {"n": 1}}
        async with client:
            await client.post("/api/v1/queues/work/jobs", json=body)
            with recorded(calls["enqueue"]):
                await client.post("/api/v1/queues/work/jobs", json=body)
            with recorded(calls["operate"]):
                paused = await client.post("/api/v1/queues/work/pause")
            assert paused.status_code == 200
            await client.post("/api/v1/queues/work/resume")
        await deployment.drain(deployment.budget(20))
        await double.enqueue_many([double.job(Number()), double.job(Number())])
        with recorded(calls["run"]):
            report = await deployment.drain(deployment.budget(20))
    assert report.outcomes == {"done": 2}
    return calls


def main() -> None:
    for name, calls in asyncio.run(paths()).items():
        files = sorted({file for file, _function in calls})
        print(f"{name}: {len(files)} files, {len(calls)} functions")
        if "-v" in sys.argv:
            print("\n".join(f"  {file} {function}" for file, function in sorted(calls)))


if __name__ == "__main__":
    main()
