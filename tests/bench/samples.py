"""What was measured: samples by section, system and variant, each with how busy the machine was
otherwise. Kept as JSON, so that a later session can add to it and write the report anew."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.servers import busy_seconds, own_seconds

QUIET = 0.15
"""Share of a core that other work on the machine may take in a run that counts as quiet."""


@dataclass
class Sample:
    """One run's figure. `others`: cores' worth of foreign work during it."""

    value: float
    others: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A median with its spread, over the quiet runs where there are any."""

    median: float
    low: float
    high: float
    runs: int
    quiet: int


class Samples:
    """All samples, under `section / system / variant`; errors under the same names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about: dict[str, Any] = {}
        self.rows: dict[str, list[Sample]] = {}
        self.errors: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path) -> Samples:
        samples = cls(path)
        if path.exists():
            kept = json.loads(path.read_text("utf-8"))
            samples.about, samples.errors = kept["about"], kept["errors"]
            samples.rows = {k: [Sample(**one) for one in rows] for k, rows in kept["rows"].items()}
        return samples

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = {k: [_rounded(asdict(one)) for one in rows] for k, rows in self.rows.items()}
        kept = {"about": self.about, "errors": self.errors, "rows": rows}
        self.path.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n", "utf-8")

    def drop(self, section: str) -> None:
        """Forget a section, before it is measured anew."""
        for store in (self.rows, self.errors):
            for name in [name for name in store if name.startswith(f"{section}/")]:
                del store[name]

    def add(self, name: str, sample: Sample) -> None:
        self.rows.setdefault(name, []).append(sample)
        self.errors.pop(name, None)

    def figure(self, name: str) -> Figure | None:
        rows = self.rows.get(name)
        if not rows:
            return None
        quiet = [one.value for one in rows if one.others <= QUIET]
        values = quiet or [one.value for one in rows]
        middle = statistics.median(values)
        return Figure(middle, min(values), max(values), len(rows), len(quiet))

    def variants(self, section: str, system: str) -> list[str]:
        start = f"{section}/{system}/"
        return [name.removeprefix(start) for name in self.rows if name.startswith(start)]

    def best(self, section: str, system: str) -> tuple[str, Figure] | None:
        """The variant with the highest median."""
        found = [
            (variant, figure)
            for variant in self.variants(section, system)
            if (figure := self.figure(f"{section}/{system}/{variant}")) is not None
        ]
        return max(found, key=lambda pair: pair[1].median, default=None)


def await_quiet(seconds: float) -> float:
    """Wait until other work takes less than QUIET of a core, for at most so long; seconds used."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with watched() as sample:
            time.sleep(0.4)
        if sample.others <= QUIET:
            break
    return time.monotonic() - began


@contextlib.contextmanager
def watched() -> Iterator[Sample]:
    """A sample that holds, when the block ends, what else the machine did meanwhile."""
    sample = Sample(0.0)
    began, busy, own = time.monotonic(), busy_seconds(), own_seconds()
    yield sample
    foreign = (busy_seconds() - busy) - (own_seconds() - own)
    sample.others = max(0.0, foreign / max(0.1, time.monotonic() - began))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return value
