"""The hunt for a bug in the drain: a child process plants it and runs real drains in virtual time
(tests/simulation/functions.py)."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from shared.testing import FakeClock, run_virtually
from tests.simulation.audit import ViolationError
from tests.simulation.functions import Town, live
from tests.simulation.server import Server
from tests.simulation.world import EPOCH, World

from .drains import PLANTS, Plant

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 6
SECONDS = 120.0
VIOLATED = 10
"""The child's exit code when an invariant broke. A failure of its own has another one."""
PATIENCE = 180.0
"""Seconds for one child. One that takes longer never ends."""


def hunt(plant: Plant, seeds: int = SEEDS) -> str:
    """The invariant that this bug breaks; "" when it survives."""
    command = [sys.executable, "-m", "tests.planted.town", plant.__name__, str(seeds)]
    try:
        run = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return "it never ends"
    if run.returncode == 0:
        return ""
    if run.returncode != VIOLATED:
        raise RuntimeError(f"{plant.__name__} was not planted: {run.stderr[-400:]}")
    return run.stdout.strip()


def live_in_town(seeds: int) -> int:
    """Run towns; print the first violation."""
    logging.disable()
    server = Server()
    try:
        for seed in range(1, seeds + 1):
            clock = FakeClock(EPOCH)
            run_virtually(live(Town(seed, World(server, seed), clock), SECONDS), clock)
    except (ViolationError, BaseExceptionGroup) as error:
        cause: BaseException = error
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if not isinstance(cause, ViolationError):
            raise  # a plant that no longer fits the drain's names is not a find
        print(str(cause)[:160].replace("\n", " "))
        return VIOLATED
    finally:
        server.close()
    return 0


def main(name: str, seeds: str) -> int:
    patch = pytest.MonkeyPatch()
    (plant,) = (plant for plant in PLANTS if plant.__name__ == name)
    plant(patch.setattr)
    numbers = itertools.count(1)
    patch.setattr("secrets.token_hex", lambda _size: f"owner{next(numbers)}")
    return live_in_town(int(seeds))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
