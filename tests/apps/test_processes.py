"""Real processes that end in the middle of their jobs, by SIGTERM and by SIGKILL. A further process
goes on: no job is lost, and no section of a document that was written is paid for again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from functions.apps.documents import DocumentRequest, generate_docs
from functions.apps.weather import Upload, review_upload
from functions.demo.standins import Faults, StandIns, serve_standins
from functions.demo.standins.openai import OpenAI
from shared import Queue
from shared.cli.exit_codes import Exit
from shared.cli.servers import serving
from shared.drain.leases import LEASE
from shared.embedded.server import server
from shared.store.views import JobView
from shared.testing import TOKEN
from tests.support.world import World

ROOT = Path(__file__).parents[2]
DOCUMENTS = 5
SECTIONS = ("Overview", "Use", "Care", "Repair")
TAKES = 0.4
"""Seconds of the model for a section."""
BEGUN = 7
"""Sections that are written before the process ends: of a second round of each document."""


@dataclass
class Functions:
    """Processes of `tidegate drain` that serve documents and weather, against a store and a model
    on loopback."""

    variables: dict[str, str]
    started: list[Process] = field(default_factory=list)

    async def start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared", "drain", "--json", "--budget", "60"),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    async def report_of(self, process: Process) -> dict[str, Any]:
        """What it prints at its end."""
        out, err = await process.communicate()
        assert out, err.decode()
        report: dict[str, Any] = json.loads(out)
        return report


@pytest.fixture
def model() -> OpenAI:
    return OpenAI(Faults(takes=TAKES))


@pytest.fixture
async def functions(world: World, model: OpenAI, tmp_path: Path) -> AsyncIterator[Functions]:
    async with AsyncExitStack() as stack:
        config = server(world.protocol, port=0).config
        url = await stack.enter_async_context(serving(config, port=0))
        outside = await stack.enter_async_context(serve_standins(StandIns(openai=model)))
        variables = {
            "UPSTASH_REDIS_REST_URL": url,
            "UPSTASH_REDIS_REST_TOKEN": TOKEN,
            "TIDEGATE_PREFIX": "test",
            "TIDEGATE_APPS": "functions.apps.documents:app,functions.apps.weather:app",
            "DOCUMENTS_FILES": str(tmp_path),
            "WEATHER_DATA_DIR": str(tmp_path),
            "WEATHER_FILES": str(tmp_path),
        }
        opened = Functions(outside.environment | variables)
        yield opened
        for process in opened.started:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def order(folder: Path) -> list[str]:
    """Five documents, each of a page of its own; their ids."""
    (folder / "pages").mkdir()
    ids = []
    for number in range(DOCUMENTS):
        page = f"Kettle {number} boils {number} litres of water in three minutes. It stops then.\n"
        (folder / "pages" / f"{number}.md").write_text(page, encoding="utf-8")
        request = DocumentRequest(
            title=f"Kettle {number}", pages=(f"file:{number}.md",), sections=SECTIONS
        )
        ids.append((await generate_docs.enqueue(request)).id)
    return ids


async def asked(model: OpenAI, sections: int) -> None:
    """Wait until the model has written so many sections."""
    while model.answered.total() < sections:  # noqa: ASYNC110 - a count of another process's calls
        await asyncio.sleep(0.01)


def written(folder: Path, ids: Sequence[str]) -> set[tuple[int, str]]:
    """The sections that are kept: document and heading."""
    return {
        (ids.index(part.parent.parent.name), SECTIONS[int(part.stem)])
        for part in (folder / "parts").glob("*/*/*.md")
    }


def paid(model: OpenAI) -> Counter[tuple[int, str]]:
    """How often each section was asked for."""
    calls = Counter[tuple[int, str]]()
    for question, times in model.answered.items():
        number = question.partition("Kettle ")[2].partition(" ")[0]
        calls[int(number), question.rpartition("The section to write: ")[2]] += times
    return calls


async def views(world: World, queue: Queue, ids: Sequence[str]) -> list[JobView]:
    return [await world.store.inspect(queue, job.partition(".")[0]) for job in ids]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL], ids=lambda sign: sign.name)
async def test_a_process_that_ends_in_the_middle_loses_no_document_and_pays_for_no_section_twice(
    functions: Functions, world: World, model: OpenAI, tmp_path: Path, sign: signal.Signals
) -> None:
    ids = await order(tmp_path)
    first = await functions.start()
    await asyncio.wait_for(asked(model, BEGUN), 30)
    first.send_signal(sign)
    if sign is signal.SIGTERM:
        report = await functions.report_of(first)
        assert (first.returncode, report["stop"]) == (Exit.TERMINATED, "shutdown")
        assert report["outcomes"] == {"released": DOCUMENTS}
        assert {view.state for view in await views(world, generate_docs.queue, ids)} == {"waiting"}
    else:
        await first.wait()
        assert {view.state for view in await views(world, generate_docs.queue, ids)} == {"active"}
        world.clock.advance(LEASE)
    kept = written(tmp_path, ids)
    assert len(kept) >= BEGUN - DOCUMENTS

    report = await functions.report_of(await functions.start())

    assert report["outcomes"] == {"done": DOCUMENTS}
    ended = await views(world, generate_docs.queue, ids)
    assert {(view.state, view.attempts) for view in ended} == {("completed", 1)}
    calls = paid(model)
    assert set(calls) == {(n, heading) for n in range(DOCUMENTS) for heading in SECTIONS}
    assert {calls[section] for section in kept} == {1}
    # What was under way is asked for again, one section of each document at most.
    assert calls.total() <= DOCUMENTS * len(SECTIONS) + DOCUMENTS


async def test_what_a_sigterm_finds_done_stays_done_and_the_rest_of_a_flood_goes_on(
    functions: Functions, world: World, model: OpenAI
) -> None:
    uploads = [Upload(upload=f"u{n}", text=f"coat number {n}") for n in range(100)]
    ids = [
        handle.id
        for handle in await review_upload.enqueue_many([review_upload.job(one) for one in uploads])
    ]
    queue = review_upload.queue
    first = await functions.start()
    while model.faults.requests < 25:  # noqa: ASYNC110 - a count of another process's calls
        await asyncio.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    report = await functions.report_of(first)
    outcomes = report["outcomes"]
    begun = model.faults.requests

    assert (first.returncode, report["stop"]) == (Exit.TERMINATED, "shutdown")
    assert outcomes["done"] >= 10
    assert 0 < outcomes["released"] <= (queue.concurrency or 0)
    states = Counter(view.state for view in await views(world, queue, ids))
    assert states == {"completed": outcomes["done"], "waiting": len(ids) - outcomes["done"]}

    report = await functions.report_of(await functions.start())

    assert report["outcomes"] == {"done": len(ids) - outcomes["done"]}
    ended = await views(world, queue, ids)
    assert {(view.state, view.attempts) for view in ended} == {("completed", 1)}
    assert model.faults.requests - begun == len(ids) - outcomes["done"]
