# ruff: noqa: E501 - a table: one bug a line
"""Bugs in the drain's Python, each planted in a copy of `shared` and hunted by real drains in virtual
time (tests/simulation/functions.py). `python -m tests.planted.drains` hunts all."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .bugs import Bug

ROOT = Path(__file__).parents[2]
SECONDS = 180.0
LANE, TURN = "lane.py", "store/turn.py"

DRAIN_BUGS = (
    Bug("a lease ends before its function", LANE, "LEASE_MARGIN = 5.0", "LEASE_MARGIN = -8.0"),
    Bug("every turn has the same number", LANE, "self._seq += 1", "self._seq = 1"),
    Bug("what has finished is never settled", LANE, "settles = [*self._finished[:fit], *self._progressed()]", "settles = [*self._progressed()]"),
    Bug("the last results are dropped", LANE, "while self._finished:\n            await self._turn(0)", "self._finished.clear()"),
    Bug("what would not stop is not given back", LANE, "self._settle(work.claim, stopped(work))", "pass"),
    Bug("a job that was given back is settled again", LANE, "if self._running.pop(work.claim.lease, None) is not None:", "self._running.pop(work.claim.lease, None)\n            if True:"),
    Bug("every lane says that it runs alone", LANE, "alone=want > 0 and self._suspects and not self._running and self._seat.taken()", "alone=True"),
    Bug("handlers may use the whole window and more", LANE, "if left <= 0:\n                self.stop", "if left <= -30:\n                self.stop"),
    Bug("claims are not started", LANE, "self._start(reply.claims)", "self._start(reply.claims[1:])"),
    Bug("no settle survives a claim", LANE, "self._finished = self._finished[fit:]", "self._finished = self._finished[:0]\n        settles = settles if want else []"),
    Bug("count and age of retention change places", TURN, "queue.completed.count,\n            round(queue.completed.age * 1000),", "round(queue.completed.age * 1000),\n            queue.completed.count,"),
    Bug("a delay is sent as seconds", TURN, "{settle.delay_ms}", "{settle.delay_ms // 1000}"),
    Bug("a tick finds only what is overdue for long", "drain.py", "if instant <= now}", "if instant < 0}"),
)  # fmt: skip

_CHILD = """
import itertools, logging, sys
from shared import lane
from shared.testing import FakeClock, run_virtually
from tests.simulation.functions import Town, live
from tests.simulation.server import Server
from tests.simulation.world import EPOCH, World
logging.disable()
numbers = itertools.count(1)
lane.secrets.token_hex = lambda _size: f"lane{next(numbers)}"
server = Server()
try:
    for seed in range(1, int(sys.argv[1]) + 1):
        clock = FakeClock(EPOCH)
        run_virtually(live(Town(seed, World(server, seed), clock), 120.0), clock)
except BaseException as error:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    print(f"{type(error).__name__} {error}"[:160].replace(chr(10), " "))
finally:
    server.close()
"""


def hunt(bug: Bug, seeds: int = 6) -> str:
    """What killed it, or "" when it survived."""
    text = (ROOT / "shared" / bug.file).read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        raise AssertionError(f"{bug.name}: {bug.old!r} is {text.count(bug.old)} times there")
    with tempfile.TemporaryDirectory() as folder:
        for part in ("shared", "tests"):
            shutil.copytree(ROOT / part, Path(folder) / part)
        (Path(folder) / "shared" / bug.file).write_text(text.replace(bug.old, bug.new))
        try:
            run = subprocess.run(
                [sys.executable, "-c", _CHILD, str(seeds)],
                cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "it never ends"
        return run.stdout.strip() or run.stderr.strip()[-80:] or _by_named_tests(folder)


def _by_named_tests(folder: str) -> str:
    """The first test of tests/faults that fails on the copy."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/faults", "tests/store/test_settle.py", "-x", "-q", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    failed = re.search(r"^FAILED \S+::(\w+)", told.stdout, re.MULTILINE)
    return failed[1] if failed else ""


if __name__ == "__main__":
    for bug in DRAIN_BUGS:
        print(f"| {bug.name} | {hunt(bug)[:90] or 'ALIVE'} |", flush=True)
