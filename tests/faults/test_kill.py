"""Real processes that die: killed in the middle, or by a job that takes them along."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.drain.leases import LEASE
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import server
from shared.store import Store, keys
from shared.testing import TOKEN, FakeClock
from tests.support.function import Deed, handle, handle_other, other, queue
from tests.support.probe import Probe

ROOT = Path(__file__).parents[2]
BUDGET = 30.0


class Functions:
    """Starts drains as processes against the store's loopback address."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._started: list[Process] = []

    async def start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.function", self._url, TOKEN, str(BUDGET)),
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        self._started.append(process)
        return process

    async def run(self) -> tuple[int | None, list[str]]:
        """One from start to end: its exit code and the ids whose handlers began."""
        process = await self.start()
        output, _ = await process.communicate()
        return process.returncode, [began(line) for line in output.splitlines() if b"began" in line]

    async def end(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def began(line: bytes) -> str:
    return line.decode().split()[1]


async def hold(process: Process, jobs: int) -> list[str]:
    """Wait until a process has begun so many jobs, then kill it; the ids of those."""
    assert process.stdout is not None
    held = [began(await process.stdout.readline()) for _ in range(jobs)]
    process.kill()
    await process.wait()
    return sorted(held)


@pytest.fixture
async def functions(protocol: UpstashProtocol) -> AsyncIterator[Functions]:
    web = server(protocol, port=0)
    serving = asyncio.create_task(web.serve())
    while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)
    started = Functions(web.servers[0].sockets[0].getsockname()[1])
    yield started
    await started.end()
    web.should_exit = True
    await serving


async def ended(probe: Probe, *queues: str) -> bool:
    """True if no job of these queues waits, is delayed or is active."""
    parts = [await probe.snapshot(name) for name in queues]
    return not any(part in content for content in parts for part in keys.WORK)


async def enqueue(store: Store, deeds: list[str]) -> list[str]:
    jobs = [handle.job(Deed(do=deed), job_id=f"{deed}{i}") for i, deed in enumerate(deeds)]
    await store.enqueue(queue, jobs)
    return [job.id for job in jobs]


async def test_what_a_killed_drain_held_runs_again_and_burns_no_attempt(
    functions: Functions, store: Store, probe: Probe, clock: FakeClock
) -> None:
    ids = await enqueue(store, ["hang"] * 10)
    assert await hold(await functions.start(), 10) == sorted(ids)
    for job_id in ids:  # what is enqueued again under its id is the same job
        await probe.run("HSET", probe.key("q", "records"), job_id, await tamed(probe, job_id))
    clock.advance(LEASE)

    code, again = await functions.run()

    assert (code, sorted(again)) == (0, sorted(ids))
    assert sorted(await probe.ids("q", "completed")) == sorted(ids)
    views = [await store.inspect(queue, job_id) for job_id in ids]
    assert {(view.attempts, view.crashes, view.fence) for view in views} == {(1, 0, 2)}


async def tamed(probe: Probe, job_id: str) -> str:
    """The stored record, with the deed that hangs made one that works."""
    raw: bytes = await probe.run("HGET", probe.key("q", "records"), job_id)
    return raw.decode().replace('"hang"', '"work"')


async def test_jobs_settled_before_the_kill_stay_done(
    functions: Functions, store: Store, probe: Probe, clock: FakeClock
) -> None:
    done = await enqueue(store, ["work"] * 5)
    assert (await functions.run())[0] == 0
    held = await enqueue(store, ["hang", "hang"])
    assert await hold(await functions.start(), 2) == sorted(held)

    assert sorted(await probe.ids("q", "completed")) == sorted(done)
    assert len(await probe.ids("q", "active")) == 2


async def test_a_job_that_kills_its_process_is_dead_after_three_crashes_of_its_own(
    functions: Functions, store: Store, probe: Probe, clock: FakeClock
) -> None:
    ids = await enqueue(store, ["work", "work", "segfault", "work", "work"])
    (poison,) = [job_id for job_id in ids if job_id.startswith("segfault")]
    deaths = 0
    for _ in range(9):
        code, _started = await functions.run()
        deaths += code != 0
        clock.advance(LEASE)
        if await ended(probe, "q"):
            break

    assert deaths == 5  # twice with its batch, three times by itself
    assert await probe.ids("q", "dead") == [poison]
    verdict = await store.inspect(queue, poison)
    assert (verdict.crashes, verdict.attempts, verdict.reason) == (3, 0, "crashed")
    others = [await store.inspect(queue, job_id) for job_id in ids if job_id != poison]
    assert {(view.state, view.attempts, view.crashes) for view in others} == {("completed", 1, 0)}


async def test_a_suspect_of_another_queue_is_not_blamed_for_a_crash_while_it_waits_its_turn(
    functions: Functions, store: Store, probe: Probe, clock: FakeClock
) -> None:
    await enqueue(store, ["exit"])
    await store.enqueue(other, [handle_other.job(Deed(), job_id=f"innocent{i}") for i in range(3)])
    for _ in range(10):
        await functions.run()
        clock.advance(LEASE)
        if await ended(probe, "q", other.name):
            break

    assert await probe.ids("q", "dead") == ["exit0"]
    views = [await store.inspect(other, f"innocent{i}") for i in range(3)]
    assert [(view.state, view.crashes) for view in views] == [("completed", 0)] * 3
