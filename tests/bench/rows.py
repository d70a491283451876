"""The rows of the comparison: which sample stands for a system, and which direction wins."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.field import FIELD, TIDEGATE, Peer
from tests.bench.samples import Figure, Samples

BULLMQ = next(peer for peer in FIELD if peer.name == "BullMQ")
PYTHON = [peer for peer in FIELD if peer.env in {"python", "arq"}]


@dataclass(frozen=True)
class Row:
    """One line of the summary. `more` wins: a rate; otherwise a cost. `bars` are the ratios to
    BullMQ and to the best Python peer that were asked for (0: none)."""

    title: str
    section: str
    variants: tuple[str, ...] = ()
    more: bool = True
    bars: tuple[float, float] = (0.0, 0.0)
    least: float = 0.0
    most: float = 0.0
    note: str = ""

    def figure(self, samples: Samples, peer: Peer) -> tuple[str, Figure] | None:
        """(variant, figure): the best of the variants that this row admits."""
        found = []
        for variant in samples.variants(self.section, peer.name):
            figure = samples.figure(f"{self.section}/{peer.name}/{variant}")
            admitted = not self.variants or any(_named(variant, v) for v in self.variants)
            if figure and admitted:
                found.append((variant, figure))
        found.sort(key=lambda pair: pair[1].median, reverse=self.more)
        return found[0] if found else None

    def ratio(self, ours: Figure, theirs: Figure) -> float:
        """How many times better we are; below 1 the row is lost."""
        over, under = (ours, theirs) if self.more else (theirs, ours)
        return over.median / under.median if under.median else float("inf")


def _named(variant: str, start: str) -> bool:
    return variant == start or variant.startswith(f"{start} ")


def best_python(samples: Samples, row: Row) -> tuple[Peer, Figure] | None:
    found = [(peer, pair[1]) for peer in PYTHON if (pair := row.figure(samples, peer))]
    if not found:
        return None
    return sorted(found, key=lambda one: one[1].median, reverse=row.more)[0]


LEAST = {0: 15_000, 5: 12_000, 50: 8_000}
SUMMARY: tuple[Row, ...] = (
    *(
        Row(
            f"drained jobs/s, no-op, +{delay} ms",
            f"drain noop +{delay} ms",
            bars=(2.0, 5.0),
            least=LEAST[delay],
        )
        for delay in (0, 5, 50)
    ),
    *(
        Row(f"drained jobs/s, 5 ms of I/O each, +{delay} ms", f"drain io +{delay} ms")
        for delay in (0, 5, 50)
    ),
    *(
        Row(f"enqueued jobs/s, {mode}, +{delay} ms", f"enqueue +{delay} ms", (mode,))
        for mode in ("single", "bulk")
        for delay in (0, 5, 50)
    ),
    Row("billed commands/job, stored singly", "commands", ("enqueue single",), more=False),
    Row("billed commands/job, stored in bulk if it can", "commands", ("enqueue",), more=False),
    Row("billed commands/job, worked at concurrency 10", "commands", ("work 10",), more=False),
    Row("billed commands/job, worked at its best", "commands", ("work",), more=False),
    Row("idle commands a minute", "idle", more=False),
    Row("bytes a waiting job", "memory", more=False, most=400),
    Row("enqueue to start, ms (p50)", "latency", more=False),
    Row("fresh process to first job, ms", "cold", more=False),
)


@dataclass(frozen=True)
class RequiredNumber:
    """A number that the requirements ask for: at least `bound` if `more`, else at most. `name` is
    that of a sample of ours; one that ends with a slash means the best of its variants."""

    title: str
    name: str
    bound: float
    more: bool = False

    def figure(self, samples: Samples) -> Figure | None:
        section, system, variant = self.name.split("/", 2)
        if variant:
            return samples.figure(self.name)
        best = samples.best(section, system)
        return best and best[1]

    def holds(self, figure: Figure) -> bool:
        return figure.median >= self.bound if self.more else figure.median <= self.bound


ASKED = (
    RequiredNumber(
        "jobs/s of a simple queue", f"drain noop +0 ms/{TIDEGATE.name}/", 1000, more=True
    ),
    RequiredNumber(
        "enqueue to start with a nudge, ms (p50)", f"nudge/{TIDEGATE.name}/a job each 1.2 s", 100
    ),
    *(
        RequiredNumber(
            f"bytes a {state} job, {queue}", f"kept/{TIDEGATE.name}/{state}, {queue}", 1024
        )
        for queue in ("plain", "encrypted")
        for state in ("waiting", "completed", "dead")
    ),
)

__all__ = [
    "ASKED",
    "BULLMQ",
    "PYTHON",
    "SUMMARY",
    "TIDEGATE",
    "RequiredNumber",
    "Row",
    "best_python",
]
