"""The score of mutmut's mutants of the engine's Python, module by module.

`make mutate` runs mutmut first, which leaves a record beside each module that it changed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

RECORDS = Path(__file__).resolve().parents[2] / "mutants"
BAR = 0.85
_FAILED = (1, 3)
_NEVER_ENDED = (24, -24, 36, 152, 255)


@dataclass(slots=True)
class Score:
    """Of one module, or of all. `alive`: names for `mutmut show`."""

    killed: int = 0
    alive: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.killed + len(self.alive)

    @property
    def share(self) -> float:
        return self.killed / self.total if self.total else 1.0

    def add(self, name: str, code: int | None) -> None:
        """`code` is how the tests of this mutant ended; None where they were not run."""
        if code in (*_FAILED, *_NEVER_ENDED):
            self.killed += 1
        elif code is not None:
            self.alive.append(name)

    def row(self, name: str) -> str:
        return f"| {name} | {self.total} | {self.killed} | {self.share:.1%} |"


def scores(records: Path = RECORDS) -> dict[str, Score]:
    """Every module that was changed, by its path."""
    by_module: dict[str, Score] = {}
    for path in sorted(records.rglob("*.py.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        score = Score()
        for name, code in codes.items():
            score.add(name, code)
        if score.total:
            by_module[path.relative_to(records).with_suffix("").as_posix()] = score
    return by_module


def main() -> int:
    by_module = scores()
    alive = [name for score in by_module.values() for name in score.alive]
    every = Score(sum(score.killed for score in by_module.values()), alive)
    print("\n".join(f"ALIVE {name}" for name in alive))
    print("| module | mutants | killed | score |\n|---|--:|--:|--:|")
    for module, score in by_module.items():
        print(score.row(module))
    print(every.row("all"))
    return 0 if every.share >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
