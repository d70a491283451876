"""`make planted`: every planted bug, then (ARGS=--mutants) every mutation, and what killed it."""

from __future__ import annotations

import sys
import time

from .bugs import BUGS
from .drains import DRAIN_BUGS, hunt
from .mutator import mutants
from .plant import Hunter, composed, planted
from .suite import Suite


def main(arguments: list[str]) -> int:
    hunter = Hunter()
    try:
        alive = _bugs(hunter)
        if "--mutants" in arguments:
            _mutants(hunter)
    finally:
        hunter.close()
    return 1 if alive else 0


def _bugs(hunter: Hunter) -> int:
    alive = 0
    for bug in BUGS:
        kill = hunter.hunt(planted(bug))
        alive += not kill.reason
        print(
            f"| {bug.name} | {kill.reason[:70] or 'ALIVE'} | {kill.seed} | {kill.steps} |",
            flush=True,
        )
    for bug in DRAIN_BUGS:
        reason = hunt(bug)
        alive += not reason
        print(f"| {bug.name} | {reason[:70] or 'ALIVE'} | | |", flush=True)
    print(f"{len(BUGS) + len(DRAIN_BUGS)} planted, {alive} alive")
    return alive


def _mutants(hunter: Hunter) -> None:
    """The simulator first; what survives it meets the tests of the scripts."""
    simulated = tested = total = 0
    began = time.monotonic()
    suite = Suite()
    for mutant in mutants():
        total += 1
        if hunter.hunt(composed(mutant.file, mutant.text), seeds=4).reason:
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
    print(
        f"{total} mutants: the simulator killed {simulated} ({simulated / total:.1%}), "
        f"the tests of the scripts {tested} more: {(simulated + tested) / total:.1%}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
