"""`make planted`: each planted bug and what found it; with ARGS=--mutants each mutation as well.

The last line counts the bugs and those that are alive. Exit code 1: a bug is alive, or too few
mutants were killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection

from .commands import Fault, faults
from .drains import PLANTS, title
from .harmless import HARMLESS
from .mutator import mutants
from .plant import SEEDS, Hunter, composed
from .suite import Suite
from .town import hunt

BAR = 0.90


def main(arguments: list[str]) -> int:
    hunter = Hunter()
    try:
        planted = hunter.use(lambda server: faults(server, range(1, SEEDS + 1)))
        print("| planted bug | found by | seed | steps |\n|---|---|--:|--:|")
        alive = _command_faults(hunter, planted) + _drain_bugs()
        share = 1.0
        if "--mutants" in arguments:
            files = [name for name in arguments if name.endswith(".lua")]
            share = _mutants(hunter, {fault.script for fault in planted}, files)
    finally:
        hunter.close()
    print(f"{len(planted) + len(PLANTS)} planted, {alive} alive")
    return 1 if alive or share < BAR else 0


def _command_faults(hunter: Hunter, planted: list[Fault]) -> int:
    alive = 0
    for fault in planted:
        kill = hunter.hunt(fault.bodies())
        excuse = HARMLESS.get((fault.script, fault.command, fault.part), "")
        alive += not kill.reason and not excuse
        cause = kill.reason or (f"harmless: {excuse}" if excuse else "ALIVE")
        print(f"| {fault.name} | {_short(cause)} | {kill.seed or ''} | {kill.steps} |", flush=True)
        if kill.reason and excuse:
            print(f"harmless.py excuses {fault.name}, but it was found", flush=True)
    names = {(fault.script, fault.command, fault.part) for fault in planted}
    for name in HARMLESS.keys() - names:
        print(f"harmless.py excuses {name}, which no script does")
    return alive


def _drain_bugs() -> int:
    alive = 0
    for plant in PLANTS:
        reason = hunt(plant)
        alive += not reason
        print(f"| {title(plant)} | {_short(reason or 'ALIVE')} | | |", flush=True)
    return alive


def _mutants(hunter: Hunter, verbs: Collection[str], files: Collection[str]) -> float:
    """The share that was killed: by the simulator first, else by the tests of the scripts. `files`:
    the only ones to mutate, if any are named."""
    simulated = tested = total = 0
    began = time.monotonic()
    suite = Suite()
    for mutant in mutants(verbs):
        if files and mutant.file.rpartition("/")[2] not in files:
            continue
        total += 1
        if hunter.hunt(composed(mutant.file, mutant.text)).reason:
            simulated += 1
        elif test := suite.kill(mutant.file, mutant.text):
            tested += 1
            print(f"{test} kills {mutant.file}:{mutant.line} {mutant.what}", flush=True)
        else:
            print(f"ALIVE {mutant.file}:{mutant.line} {mutant.what}", flush=True)
        if total % 50 == 0:
            seconds = time.monotonic() - began
            print(f"{simulated} + {tested} of {total} killed, {seconds:.0f} s", flush=True)
    suite.close()
    share = (simulated + tested) / total
    print(
        f"{total} mutants: the simulator killed {simulated} ({simulated / total:.1%}), "
        f"the tests of the scripts {tested} more: {share:.1%} (bar {BAR:.0%})"
    )
    return share


def _short(text: str) -> str:
    """One cell of a Markdown table."""
    return text[:70].replace("\n", " ").replace("|", "/").strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
