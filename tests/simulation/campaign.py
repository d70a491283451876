"""Millions of steps in several processes, a server each."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from .server import BEST, Server
from .story import STORY_STEPS, Failure, Tally, simulate

PART = 10 * STORY_STEPS
"""Steps after which a process reports and takes the next part."""


def parts(seed: int, steps: int, jobs: int) -> Iterator[tuple[int, int]]:
    """(first seed, steps) of parts of whole stories, small enough that each of `jobs` gets some."""
    stories = -(-steps // STORY_STEPS)
    size = min(PART, -(-stories // jobs) * STORY_STEPS)
    for done in range(0, steps, size):
        yield seed + done // STORY_STEPS, min(size, steps - done)


def run(engine: str, seed: int, steps: int) -> tuple[Tally, Failure | None]:
    """One part, on a server of its own."""
    server, tally = Server(engine), Tally()
    try:
        return tally, simulate(server, seed, steps, tally=tally)
    finally:
        server.close()


def main(seed: int, steps: int, engine: str = BEST, jobs: int = 1) -> int:
    """Print what was done; 1 with a shrunk story where an invariant breaks. `jobs`: processes,
    which change nothing in what is simulated. After a failure no part is begun."""
    began, tally, failure = time.monotonic(), Tally(), None
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        waiting = [pool.submit(run, engine, *part) for part in parts(seed, steps, jobs)]
        try:
            for part in waiting:
                done, failure = part.result()
                tally.add(done)
                tally.seconds = time.monotonic() - began
                print(f"from seed {seed}: {tally.line()}", flush=True)
                if failure:
                    break
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    print(failure.text() if failure else "0 violations")
    return 1 if failure else 0
