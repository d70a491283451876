"""kill -9 and SIGTERM at random instants, and a server that dies under load: what was acknowledged
is there, and what ran twice did so for a reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

import pytest

from shared.embedded.local import LocalRedis
from shared.store import keys
from tests.crash.campaign import JOBS_A_RUN, Campaign
from tests.crash.function import Step, open_store, queue, step
from tests.simulation.server import connect, exchange

RUNS = 25  # `make crash` has a thousand


async def test_kill_9_at_any_instant_loses_nothing_and_doubles_nothing_without_a_reason(
    local: LocalRedis, tmp_path: Path
) -> None:
    with Campaign(local, tmp_path, Random(1)) as campaign:
        for _ in range(RUNS):
            await campaign.enqueue(JOBS_A_RUN)
            others = [campaign.start() for _ in range(campaign.rng.choice((0, 0, 1)))]
            assert campaign.kill_somewhere(campaign.start()) in (0, -signal.SIGKILL)
            assert [campaign.end(pid) for pid in others] == [0] * len(others)
            campaign.let_leases_end()
        campaign.drain_to_the_end()

        assert campaign.verdict() == []
        assert len(campaign.killed) == RUNS


async def test_sigterm_at_any_phase_gives_everything_back_at_once_and_burns_no_attempt(
    local: LocalRedis, tmp_path: Path
) -> None:
    with Campaign(local, tmp_path, Random(2)) as campaign:
        for _ in range(10):
            await campaign.enqueue(JOBS_A_RUN)
            code = campaign.kill_somewhere(campaign.start(), signal.SIGTERM)
            assert code in (0, -signal.SIGTERM)  # before it listens, or after its drain has ended
            if code == 0:
                assert campaign.census("active") == []
            else:
                campaign.let_leases_end()
        campaign.drain_to_the_end()

        states = {record.split(" ")[0] for record in campaign.records().values()}
        attempts = {record.split(" ")[2] for record in campaign.records().values()}
        assert (states, attempts) == ({"c"}, {"1"})


@pytest.mark.parametrize("fsync", ["everysec", "always"])
async def test_a_server_killed_under_load_keeps_every_job_that_it_acknowledged(
    local: LocalRedis, tmp_path: Path, fsync: str
) -> None:
    # Both modes write before they reply, so the death of the process loses nothing; the death of
    # the machine may lose the last second of `everysec`. That cannot be shown here.
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with open_store(local.ensure, clock) as store:
        for death in range(4):
            with connect(local.ensure()) as socket:
                exchange(socket, "CONFIG", "SET", "appendfsync", fsync)
            for i in range(40):
                if i == (7 * death + 11) % 40:
                    _kill(local)
                await store.enqueue(queue, [step.job(Step(), job_id=f"d{death}x{i}")])
            _kill(local)
    acked = {f"d{death}x{i}" for death in range(4) for i in range(40)}
    with connect(local.ensure()) as socket:
        stored = exchange(socket, "HKEYS", keys.part("crash", "q", "records"))
        waiting = exchange(socket, "LRANGE", keys.part("crash", "q", "normal"), "0", "-1")

    assert acked <= set(stored)
    assert sorted(waiting) == sorted(acked)


def _kill(local: LocalRedis) -> None:
    assert local.pid is not None
    os.kill(local.pid, signal.SIGKILL)
