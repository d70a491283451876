"""`make simulate SEED=… STEPS=… ENGINE=…`: simulate, print what was done, exit 1 with a shrunk
story."""

from __future__ import annotations

import sys

from .server import BEST, Server
from .story import STORY_STEPS, Tally, simulate

REPORT_EVERY = 10


def main(seed: int, steps: int, engine: str = BEST) -> int:
    server, tally, stories = Server(engine), Tally(), 0

    def progress(so_far: Tally) -> None:
        nonlocal stories
        stories += 1
        if stories % REPORT_EVERY == 0:
            print(f"seed {seed + stories}: {so_far.line()}", flush=True)

    try:
        failure = simulate(server, seed, steps, tally=tally, progress=progress)
    finally:
        server.close()
    last = seed + -(-steps // STORY_STEPS) - 1
    print(f"seeds {seed} to {last}: {tally.line()}")
    print(failure.text() if failure else "0 violations")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
