"""The archiver stops at any step, and Postgres goes away: rows = dead letters, none twice, none
lost, none gone from Redis before its commit."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.archive.move import KEEP_SECONDS
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import server
from shared.testing import TOKEN
from tests.archive.steps import stopping
from tests.archive.world import World

ROOT = Path(__file__).parents[2]
NOBODY = "postgresql://postgres@127.0.0.1:9/postgres"
LETTERS, MINUTES, KILLS = 5_000, 10, 20
SEED = 20_261_127


class ProcessKilled(BaseException):
    """The process ends here."""


def kill() -> None:
    raise ProcessKilled


async def assert_none_lost(dying: World, names: list[str]) -> None:
    """Each letter is in Redis, or in one row, or (between commit and removal) in both."""
    rows = [row["job_id"].partition(".")[0] for row in dying.rows()] if dying.url else []
    assert len(rows) == len(set(rows))
    assert set(rows) | set(await dying.dead()) == set(names)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # no close()
async def test_a_stop_at_any_step_is_finished_by_the_next_run(dying: World) -> None:
    await dying.maintain()  # the table is there
    names = list[str]()
    for at in range(1, 200):
        names += [f"{at}-{n}" for n in range(3)]
        await dying.die(*names[-3:])
        with stopping(at, kill) as steps:
            try:
                await dying.maintain()
            except ProcessKilled:
                pass
            else:
                break
        await assert_none_lost(dying, names)
        report = await dying.maintain(age=False)
        assert report.stop == "done"
        assert await dying.dead() == []
        assert len(dying.rows()) == len(names)
    assert len(steps) > 12  # two scripts, and a transaction between them


Run = Callable[[int], Awaitable[int]]


@pytest.fixture
async def run(protocol: UpstashProtocol, dying: World) -> AsyncIterator[Run]:
    """A run of the maintain function in a process that kills itself at a step; its exit code."""
    web = server(protocol, port=0)
    serving = asyncio.create_task(web.serve())
    while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)
    url = f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
    zygote = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.archive.function", url, TOKEN, str(dying.url)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    async def in_process(at: int) -> int:
        assert zygote.stdin
        assert zygote.stdout
        zygote.stdin.write(f"{at}\n".encode())
        return int(await zygote.stdout.readline())

    yield in_process
    zygote.kill()
    await zygote.communicate()
    web.should_exit = True
    await serving


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_postgres_away_and_the_archiver_killed_twenty_times(dying: World, run: Run) -> None:
    await dying.maintain()
    names, away = list[str](), dying.deployment_at(NOBODY)
    for minute in range(MINUTES):
        names += [f"{minute}-{n}" for n in range(LETTERS // MINUTES)]
        await dying.die(*names[-LETTERS // MINUTES :])
        dying.clock.advance(60)
        report = await away.maintain(away.budget(60))
        assert report.stop in ("done", "error")  # nothing is old enough at first
        assert report.tally.removed == 0
    dying.clock.advance(KEEP_SECONDS)
    assert (await away.maintain(away.budget(60))).stop == "error"
    assert await dying.dead() == sorted(names)

    rng = random.Random(SEED)
    for _ in range(KILLS):
        assert await run(rng.randint(3, 22)) == -9
        await assert_none_lost(dying, names)
    assert 0 < len(await dying.dead()) < LETTERS
    assert await run(0) == 0

    assert await dying.dead() == []
    assert sorted(row["job_id"].partition(".")[0] for row in dying.rows()) == sorted(names)
