"""The metrics of a deployment, made of one read of its queues. Labels are queues as declared and
words of this engine, so what jobs carry (keys, ids, payloads) adds no series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from ..drain.durations import BUCKETS, edge_of, mean
from ..store.counters import COMMANDS, DURATION, HELD, STOP, WAIT, by_reason, histogram
from ..store.queue_stats import QueueStats
from .describe import describe_queue
from .exposition import Family, Kind, Sample

OUTCOMES = ("done", "retried", "dead", "released", "snoozed", "parked", "cancelled")
EDGES = (*range(3, BUCKETS, 3), BUCKETS - 1)
"""The buckets whose upper edges are shown: every third. The last bucket has none: it is open."""

Number = Callable[[QueueStats], float | None]


def families(stats: Sequence[QueueStats]) -> list[Family]:
    """Every metric of these queues."""
    return [*_gauges(stats), *_outcomes(stats), *_histograms(stats), *_drains(stats)]


def _gauges(stats: Sequence[QueueStats]) -> Iterator[Family]:
    yield _family(
        "tidegate_jobs", "gauge", "Jobs by state.", stats, "state",
        lambda one: describe_queue(one)["counts"],
    )  # fmt: skip
    numbers: tuple[tuple[str, str, Number], ...] = (
        (
            "oldest_wait_seconds",
            "Since the oldest waiting job could begin; 0: none waits.",
            _oldest,
        ),
        ("last_turn_timestamp_seconds", "When a drain last looked at the queue.", _last_turn),
        ("paused", "1 while an operator keeps the queue from being claimed.", _paused_value),
        (
            "archive_lag_seconds",
            "Since the oldest dead letter died that maintain left for the archive; 0: none waits.",
            _archive_lag,
        ),
        ("stored_jobs", "Jobs stored, ended ones included.", lambda one: one.jobs),
        ("stored_jobs_limit", "The queue's max_jobs.", lambda one: one.queue.max_jobs),
        ("stored_bytes", "Bytes of all jobs stored.", lambda one: one.bytes),
        ("stored_bytes_limit", "The queue's max_bytes.", lambda one: one.queue.max_bytes),
    )
    for name, help_text, number in numbers:
        values = [(one, number(one)) for one in stats]
        samples = [Sample(value, _queue(one)) for one, value in values if value is not None]
        yield Family(f"tidegate_queue_{name}", "gauge", help_text, samples)


def _outcomes(stats: Sequence[QueueStats]) -> Iterator[Family]:
    yield _family(
        "tidegate_outcomes_total", "counter", "Settled runs by outcome: an attempt that failed is "
        "retried or dead.", stats, "outcome",
        lambda one: {name: one.totals[name] for name in OUTCOMES},
    )  # fmt: skip
    for name, total, help_text in (
        ("claims", "claimed", "Claims of jobs."),
        ("crashes", "crashed", "Leases that ended unsettled: the function died."),
        ("lost_records", "lost", "Ids in line whose record was gone."),
    ):
        samples = [Sample(one.totals[total], _queue(one)) for one in stats]
        yield Family(f"tidegate_{name}_total", "counter", help_text, samples)


def _histograms(stats: Sequence[QueueStats]) -> Iterator[Family]:
    for name, kind, help_text in (
        ("duration", DURATION, "How long handlers ran; the sum is made of the buckets' middles."),
        ("wait", WAIT, "From when a job could begin to its claim; the sum is made likewise."),
    ):
        samples = [sample for one in stats for sample in _histogram(one, kind)]
        yield Family(f"tidegate_job_{name}_seconds", "histogram", help_text, samples)


def _drains(stats: Sequence[QueueStats]) -> Iterator[Family]:
    yield _family(
        "tidegate_held_turns_total", "counter", "Turns that got fewer jobs than wanted because the "
        "queue is limited, full or paused.", stats, "reason",
        lambda one: by_reason(one.counters, HELD),
    )  # fmt: skip
    yield _family(
        "tidegate_drains_total", "counter", "Drains of the queue by why they stopped.", stats,
        "stop", lambda one: by_reason(one.counters, STOP),
    )  # fmt: skip
    commands = sum(one.counters.get(COMMANDS, 0) for one in stats)
    help_text = "Billed commands of drains, what their handlers enqueue included."
    yield Family("tidegate_drain_commands_total", "counter", help_text, [Sample(commands, {})])


def _family(
    name: str,
    kind: Kind,
    help_text: str,
    stats: Sequence[QueueStats],
    label: str,
    counts: Callable[[QueueStats], dict[str, int]],
) -> Family:
    """A family whose samples differ by queue and one more label."""
    samples = [
        Sample(count, {**_queue(one), label: value})
        for one in stats
        for value, count in counts(one).items()
    ]
    return Family(name, kind, help_text, samples)


def _histogram(stats: QueueStats, kind: str) -> Iterator[Sample]:
    counts = histogram(stats.counters, kind, BUCKETS)
    upto = list(accumulate(counts))
    for bucket in EDGES:
        labels = {**_queue(stats), "le": repr(edge_of(bucket))}
        yield Sample(upto[bucket - 1], labels, "_bucket")
    yield Sample(upto[-1], {**_queue(stats), "le": "+Inf"}, "_bucket")
    yield Sample((mean(counts) or 0.0) * upto[-1], _queue(stats), "_sum")
    yield Sample(upto[-1], _queue(stats), "_count")


def _queue(stats: QueueStats) -> dict[str, str]:
    return {"queue": stats.queue.name}


def _oldest(stats: QueueStats) -> float:
    age: float | None = describe_queue(stats)["oldest_age"]
    return age or 0.0


def _archive_lag(stats: QueueStats) -> float:
    if stats.unarchived_ms is None:
        return 0.0
    return max(0, stats.now_ms - stats.unarchived_ms) / 1000


def _last_turn(stats: QueueStats) -> float | None:
    return stats.turn_ms / 1000 if stats.turn_ms else None


def _paused_value(stats: QueueStats) -> float:
    return int(stats.paused)
