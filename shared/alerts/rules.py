"""The rules: which values of two readings are beyond their thresholds. Pure; docs/operations.md has
a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..config.alerts import AlertSettings
from ..store.queue_stats import QueueStats
from ..store.usage import fullness
from .baseline import Baseline
from .reading import Reading
from .totals import Totals

SAMPLES = 20
"""Attempts, or observed jobs, below which a rate or an average has no meaning."""
LONGEST_MS = 3_600_000
"""After an hour a comparison is closed, however few jobs it has."""
READINGS = 2
"""Evaluations in a row that must find a backlog, or parked jobs: a burst that the next drain takes
is none, nor a deploy during which two versions run."""
LATENCY_FLOOR = 1.0
"""Seconds of latency below which twice as much as usual does no harm."""

Finding = Literal["beyond", "within", "unknown"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rule finds of one queue; `queue` "" is the whole deployment. Unknown: not enough was
    observed, and what was found before stands. `least`: findings in a row before it fires."""

    rule: str
    queue: str
    finding: Finding
    value: float
    threshold: float
    least: int = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one evaluation reads. `late`: seconds for which a tick is awaited. `archive_lag`:
    seconds for which the oldest dead letter waits for the archive; None: there is no archive.
    `refused`: requests that were ever refused for their token; `commands`: billed commands that
    were ever counted."""

    now_ms: int
    queues: Sequence[QueueStats]
    late: float
    archive_lag: float | None = None
    refused: int = 0
    commands: int = 0


def judge_queue(
    stats: QueueStats, change: Reading | None, baseline: Baseline, settings: AlertSettings
) -> Iterator[Judgement]:
    """The judgements on one queue. `change`: what it has counted since the reading with which this
    one is compared; None: there is none."""
    queue = stats.queue
    full = fullness(stats.usage, queue.max_jobs, queue.max_bytes)
    values: dict[str, float | None] = {
        "backlog": stats.waiting,
        "parked": stats.sizes["parked"],
        "queue_full": full,
    }
    if change is not None:
        values["crash_loop"] = _crashes(change, settings.threshold("crash_loop", queue.name))
        values["failure_rate"] = _failure_rate(change)
        values["latency"] = _latency(change, baseline)
    for rule, value in values.items():
        yield _judgement(rule, queue.name, value, settings)


def judge_deployment(
    snapshot: Snapshot, totals: Totals, settings: AlertSettings
) -> Iterator[Judgement]:
    """The judgements on the whole deployment."""
    yield _judgement("missed_ticks", "", snapshot.late, settings)
    if settings.store_bytes is not None:
        stored = sum(one.bytes for one in snapshot.queues)
        yield _judgement("store_bytes", "", stored / settings.store_bytes, settings)
    if snapshot.archive_lag is not None:
        yield _judgement("archive_behind", "", snapshot.archive_lag, settings)
    refused = totals.refused_within(snapshot.now_ms, settings.threshold("refused"))
    yield _judgement("refused", "", refused, settings)
    if settings.store_commands is not None:
        yield _judgement("month_commands", "", totals.spent / settings.store_commands, settings)


def is_spent(change: Reading) -> bool:
    """True if enough was observed, or the window is over: the next change begins here."""
    return change.attempts >= SAMPLES or change.at_ms >= LONGEST_MS


def _crashes(change: Reading, threshold: float) -> float | None:
    """Known as soon as they are too many, and else once the change is spent."""
    return change.crashed if change.crashed > threshold or is_spent(change) else None


def _failure_rate(change: Reading) -> float | None:
    if change.attempts >= SAMPLES:
        return change.failed / change.attempts
    return 0.0 if is_spent(change) else None


def _latency(change: Reading, baseline: Baseline) -> float | None:
    """How many times the usual one; 0 below the floor."""
    latency = change.latency
    if latency is not None and min(change.waits, change.runs, baseline.jobs) >= SAMPLES:
        return latency / baseline.seconds if latency >= LATENCY_FLOOR else 0.0
    return 0.0 if is_spent(change) and latency is None else None


def _judgement(rule: str, queue: str, value: float | None, settings: AlertSettings) -> Judgement:
    threshold = settings.threshold(rule, queue)
    least = READINGS if rule in ("backlog", "parked") else 1
    if value is None:
        return Judgement(rule, queue, "unknown", 0.0, threshold, least)
    finding: Finding = "beyond" if value > threshold else "within"
    return Judgement(rule, queue, finding, value, threshold, least)
