"""`make crash SEED=… RUNS=…`: the kill -9 campaign for as long as wanted."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from shared.embedded.binary import find_server
from shared.embedded.local import LocalRedis

from .campaign import JOBS_A_RUN, Campaign


async def run(campaign: Campaign, runs: int) -> list[str]:
    for done in range(1, runs + 1):
        await campaign.enqueue(JOBS_A_RUN)
        others = [campaign.start() for _ in range(campaign.rng.choice((0, 0, 1)))]
        campaign.kill_somewhere(campaign.start())
        for pid in others:
            campaign.end(pid)
        campaign.let_leases_end()
        if done % 100 == 0:
            print(f"{done} kills, {len(campaign.enqueued)} jobs", flush=True)
    campaign.drain_to_the_end()
    return campaign.verdict()


def main(seed: int, runs: int) -> int:
    binary = find_server()
    assert binary is not None, "a real server is needed"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        local = LocalRedis(binary, data_dir=Path(folder) / "data", volatile=False)
        try:
            with Campaign(local, Path(folder), Random(seed)) as campaign:
                wrong = asyncio.run(run(campaign, runs))
                reruns = campaign.lines() // 2 - len(campaign.enqueued)
        finally:
            local.close()
    print("\n".join(wrong))
    print(f"{runs} kills, {len(campaign.enqueued)} jobs, {len(wrong)} unexplained, "
          f"about {reruns} reruns, {time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
