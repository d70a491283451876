"""`make planted`: every planted bug, then (ARGS=--mutants) every mutation, and what killed it."""

from __future__ import annotations

import sys
import time

from .bugs import BUGS
from .drains import DRAIN_BUGS, hunt
from .mutator import mutants
from .plant import Hunter, composed, planted


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
    total = killed = 0
    began = time.monotonic()
    for mutant in mutants():
        total += 1
        kill = hunter.hunt(composed(mutant.file, mutant.text), seeds=4)
        killed += bool(kill.reason)
        if not kill.reason:
            print(f"ALIVE {mutant.file}:{mutant.line} {mutant.what}", flush=True)
        if total % 50 == 0:
            print(f"{killed} of {total} killed, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{killed} of {total} mutants killed ({killed / max(1, total):.1%})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
